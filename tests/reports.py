"""Real runs for the tests of reports: every command on the bundled model, made once, whole and cut off."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib

from negtemp.cli import main

# small, and each with what its report draws
COMMANDS: dict[str, list[str]] = {
    "run": ["run", "-n", "8", "-p", "a", "-p", "b"],
    "compare": ["compare", "-n", "8", "-p", "Once"],
    "sweep": ["sweep", "-n", "4", "-p", "a", "-p", "b", "--seeds", "1,2", "--betas=-1000,-1,0,1"],
    "spectrum": ["spectrum", "-p", "Once"],
    "spectrum-along": ["spectrum", "-p", "Once", "--betas=-1,0,1", "--along", "3"],
    "centroid": ["centroid", "--ids", "5,700", "--top", "3"],
    "centroid-all": ["centroid", "--all"],
    "repeat": ["repeat", "--ids", "700,701", "--controls", "1", "--samples", "1"],
    "reproduce": ["reproduce", "-n", "4", "--asked", "2", *(word for p in "abcde" for word in ("-p", p))],
    "audit": ["audit"],
    "census": ["census"],
}


def negtemp(*arguments: str) -> str:
    """What a command prints, run in this process. It must succeed."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main.run(list(arguments))
    assert status == 0, err.getvalue()
    return out.getvalue()


def make_runs(folder: Path) -> None:
    """Every kind of run, and beside each a copy that was cut off within a line of its second half."""
    for name, command in COMMANDS.items():
        negtemp(*command, "-o", str(folder / name))
        cut = folder / f"{name}-cut"
        cut.mkdir()
        if (folder / name / "manifest.json").exists():
            (cut / "manifest.json").write_bytes((folder / name / "manifest.json").read_bytes())
        data = (folder / name / "records.jsonl").read_bytes()
        (cut / "records.jsonl").write_bytes(data[: len(data) * 2 // 3])


def parsed(page: str) -> Any:
    """The page as elements, by a parser that refuses what HTML5 does not allow."""
    # a document's own rules; SVG's attributes are not HTML's, and the parser knows them
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def text(element: Any) -> str:
    """All letters of an element."""
    return "".join(element.itertext())


def cells(element: Any) -> Iterator[list[str]]:
    """The rows of every table in it, as text."""
    for row in element.iter("tr"):
        yield [text(cell) for cell in row if cell.tag in ("td", "th")]
