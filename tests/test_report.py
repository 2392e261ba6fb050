"""`negtemp report`: one file from any saved run: complete, harmless, the same each time, never too large."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import golden
import pytest
from conftest import HOSTILE

from negtemp.cli import main
from negtemp.printable import is_hostile
from negtemp.records import (
    Audit,
    AuditToken,
    Census,
    ClaimVerdict,
    Header,
    MatrixGeometry,
    Record,
    Repetition,
    Spectrum,
    Step,
    TokenGeometry,
    Trial,
)
from negtemp.records.audit import CategoryCounts
from negtemp.runs.reading import load_run, read_run
from negtemp.views.presenters import PRESENTERS
from negtemp.views.report import html, kinds
from negtemp.views.report.document import LISTED, Saved

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("html5lib")

import reports

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
KINDS = [name + cut for name in reports.COMMANDS for cut in ("", "-cut")]
SAVED = sorted((Path(__file__).parent / "saved").iterdir())
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    reports.make_runs(folder)
    return folder


@pytest.fixture(scope="module")
def pages(runs: Path) -> dict[str, str]:
    """The report of every run."""
    return {name: reported(runs / name) for name in KINDS}


def reported(run: Path) -> str:
    out = run.with_suffix(".html")
    reports.negtemp("report", str(run), "-o", str(out))
    return out.read_text(encoding="utf-8")


def of(header: Header, records: list[Record]) -> str:
    return html.page(kinds.made(Saved(header), iter(records)))


def words(page: str) -> str:
    """What a reader sees, without style and script."""
    root = reports.parsed(page)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("style", "script"):
                parent.remove(child)
    return " ".join(reports.text(root).split())


@pytest.mark.parametrize("name", KINDS)
def test_a_report_is_sound_html_of_at_most_a_megabyte_and_names_nothing_outside(
    pages: dict[str, str], name: str
) -> None:
    page = pages[name]
    assert len(page.encode()) < MOST_BYTES
    root = reports.parsed(page)
    for element in root.iter():
        for attribute, value in element.attrib.items():
            local = attribute[1] if isinstance(attribute, tuple) else attribute
            assert local not in ("src", "srcset", "data", "action", "poster") and not local.startswith("on")
            assert local != "href" or value.startswith("#")
            assert "url(" not in value.replace("url(#", "")
    assert not {element.tag for element in root.iter()} & {"link", "img", "iframe", "object", "embed", "form", "base"}
    assert "@import" not in page and "url(" not in re.sub(r"url\(#", "", page)
    assert "http:" not in page and "https:" not in page


@pytest.mark.parametrize("name", KINDS)
def test_a_report_says_what_ran_on_what_by_what_and_with_which_settings(
    pages: dict[str, str], runs: Path, name: str
) -> None:
    header, shown = read_run(runs / name).header, words(pages[name])
    for value in (
        header.command, header.model.name, header.model.description, header.model.file, header.model.fingerprint,
        header.engine.llama_cpp_python, *header.engine.patches, *header.settings,
    ):  # fmt: skip
        assert value in shown
    assert ("interrupted" in shown or "not finished" in shown) == name.endswith("-cut")


@pytest.mark.parametrize("name", KINDS)
def test_every_picture_has_words_and_a_table_that_say_the_same(pages: dict[str, str], name: str) -> None:
    root = reports.parsed(pages[name])
    for section in root.iter("section"):
        figures = list(section.iter("figure"))
        for figure in figures:
            assert reports.text(next(figure.iter("figcaption"))).strip()
            for picture in figure.iter("{http://www.w3.org/2000/svg}svg"):
                assert picture.attrib["role"] == "img" and len(picture.attrib["aria-label"]) > 10
        assert not figures or any(True for _ in section.iter("table"))
    names = [value for element in root.iter() for key, value in element.attrib.items() if key == "id"]
    assert len(names) == len(set(names))


def drawn(pages: dict[str, str], name: str) -> int:
    return pages[name].count("<svg")


def test_whatever_show_draws_has_a_report() -> None:
    assert set(PRESENTERS) - {"sweep"} <= set(kinds.COMMANDS)


def test_every_kind_of_run_has_pictures(pages: dict[str, str]) -> None:
    counts = {name: drawn(pages, name) for name in reports.COMMANDS}
    assert min(counts.values()) >= 1, counts
    assert counts["spectrum"] == 4 and counts["sweep"] == 6


@pytest.mark.parametrize("name", ["run", "sweep", "audit", "spectrum"])
def test_a_report_made_twice_is_the_same_from_a_folder_a_file_and_a_pipe(
    pages: dict[str, str], runs: Path, name: str
) -> None:
    assert reported(runs / name) == pages[name]
    records = runs / name / "records.jsonl"
    assert reported(records) == pages[name]
    if name != "sweep":  # whose settings are in the manifest
        with records.open("rb") as pipe:
            done = subprocess.run([NEGTEMP, "report", "-", "-o", "-"], stdin=pipe, capture_output=True, check=False)
        assert done.stdout.decode() == pages[name], done.stderr


def figures_of(run: Path, kind: type[Record]) -> Iterator[Any]:
    return (record for record in load_run(run) if isinstance(record, kind))


def test_the_figures_are_those_of_the_records(pages: dict[str, str], runs: Path) -> None:
    summary = next(figures_of(runs / "audit", Audit))
    rows = list(reports.cells(reports.parsed(pages["audit"])))
    for category, counts in summary.categories.items():
        assert [category, str(counts.tokens), str(counts.candidates)] in [row[:3] for row in rows]
    for verdict in figures_of(runs / "reproduce", ClaimVerdict):
        assert any(row[:2] == [verdict.claim, verdict.verdict] and row[3] == str(verdict.n)
                   for row in reports.cells(reports.parsed(pages["reproduce"])))  # fmt: skip
    shown = {name: words(pages[name]) for name in ("census", "centroid", "repeat", "spectrum")}
    census = next(figures_of(runs / "census", Census))
    assert census.level is not None and f"{census.level.tokens:,} by the level" in swapped(shown["census"])
    for shell in figures_of(runs / "centroid", MatrixGeometry):
        assert f"{shell.rows:,} × {shell.dim:,}" in shown["centroid"]
    end = next(figures_of(runs / "repeat", Repetition))
    assert f"{end.pairs} pair" in shown["repeat"]
    spectrum = next(figures_of(runs / "spectrum", Spectrum))
    assert f"ln V = {spectrum.max_entropy:.3f}" in shown["spectrum"]


def swapped(shown: str) -> str:
    """A fact reads value first on the page, where the word stands first in the file."""
    return re.sub(r"(by the level), in all contexts ([\d,]+)", r"\2 \1", shown)


def test_every_distribution_stands_in_the_table_beside_its_curves(pages: dict[str, str], runs: Path) -> None:
    states = [r for r in load_run(runs / "spectrum") if r.kind == "thermo"]
    rows = [row for row in reports.cells(reports.parsed(pages["spectrum"])) if len(row) == 6]
    assert len([row for row in rows if row[0] != "β"]) >= len(states) == 123


def test_no_engine_is_needed(runs: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['llama_cpp'] = None; from negtemp.cli.main import run; "
        f"status = run(['report', {str(runs / 'audit')!r}, '-o', {str(tmp_path / 'a.html')!r}]); "
        "sys.exit(status or ('negtemp.model.library' in sys.modules and sys.modules['llama_cpp'] is not None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").exists()


# what breaks a page: elements, attributes, entities, comments, ends of what a page is made of
BREAKING = (
    *HOSTILE, b"<img src=x onerror=alert(1)>", b"\"'><svg onload=alert(1)>", b"&lt;b&gt;&amp;", b"<!--", b"-->",
    b"]]>", b"</style>", b"{{ 7*7 }}", b"{% raw %}", b"javascript:alert(1)", b"\xff\xfe", b"",
)  # fmt: skip


def hostile(record: Record, number: int) -> Record:
    raw = BREAKING[number % len(BREAKING)]
    if isinstance(record, AuditToken | TokenGeometry | Trial):
        return replace(record, raw=raw, category="<b>normal\u202e")
    return replace(record, raw=raw) if isinstance(record, Step) else record


@pytest.mark.parametrize("folder", [f for f in SAVED if f.name != "sweep"], ids=lambda folder: folder.name)
def test_no_text_leaves_its_place(folder: Path) -> None:
    header, *records = load_run(folder)
    assert isinstance(header, Header)
    evil = "</title><script>alert(1)</script>\u202e\x1b[31m"
    header = replace(
        header, model=replace(header.model, name=evil, description=evil, file=evil),
        settings={**header.settings, evil: [evil], "prompts": [evil, *map(str, BREAKING)]},
    )  # fmt: skip
    page = of(header, [hostile(record, number) for number, record in enumerate(records)])
    root = reports.parsed(page)
    assert [element.tag for element in root.iter()].count("script") == 1
    assert not any(element.tag in ("img", "b") for element in root.iter())
    assert not any(str(key).startswith("on") for element in root.iter() for key in element.attrib)
    assert {c for c in page if is_hostile(c)} <= {"\n", "␠", "◌"}
    for cell in root.iter("td"):
        assert "number" in cell.attrib.get("class", "") or [child.tag for child in cell] == ["bdi"]


@pytest.mark.parametrize("command", ["run", "compare", "spectrum", "centroid", "repeat", "reproduce", "audit",
                                     "audit --diff", "census", "scan", "a command of tomorrow"])  # fmt: skip
def test_a_run_with_nothing_finished_has_a_report(command: str) -> None:
    header = replace(next(r for r in golden.RECORDS if isinstance(r, Header)), command=command, settings={})
    page = of(header, [])
    assert reports.parsed(page) is not None and "How it was made" in page


def test_every_kind_of_record_can_be_reported_wherever_it_stands() -> None:
    """A file that anyone may have written: all kinds of records under every command."""
    header = next(r for r in golden.RECORDS if isinstance(r, Header))
    for command in kinds.COMMANDS:
        page = of(replace(header, command=command), [r for r in golden.RECORDS if not isinstance(r, Header)])
        assert {c for c in page if is_hostile(c)} <= {"\n", "␠", "◌"}


def test_a_large_audit_shows_its_suspects_and_counts_the_rest(runs: Path) -> None:
    header, *records = load_run(runs / "audit")
    assert isinstance(header, Header)
    token = next(r for r in records if isinstance(r, AuditToken))
    suspects, vocabulary = 3000, 152_000
    tokens = (
        replace(token, token_id=i, rank=i, raw=b"token %d " % i * 4, category="normal", candidate=i < suspects,
                superstrings=(i + 1, i + 2, i + 3))
        for i in range(vocabulary)
    )  # fmt: skip
    end = next(r for r in records if isinstance(r, Audit))
    counts = {"normal": CategoryCounts(tokens=vocabulary, candidates=suspects)}
    large = replace(header, model=replace(header.model, vocabulary=vocabulary))
    page = html.page(
        kinds.made(Saved(large), (r for part in (tokens, [replace(end, categories=counts)]) for r in part))
    )
    assert len(page.encode()) < MOST_BYTES
    shown = words(page)
    assert f"{vocabulary - suspects:,} of {vocabulary:,} tokens are neither suspect nor asked for" in shown
    left = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) more (?:rows )?are in the records", shown)]
    rows = [row for row in reports.cells(reports.parsed(page)) if row[3:4] == ["normal"]]
    assert suspects - LISTED in left and len(rows) + sum(left) == suspects


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line in which a report is refused with status 1."""
    capsys.readouterr()
    assert main.run(["report", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin with a header"), (b"GGUF\0\0", "is a model"), (b"no json\n", "is not a negtemp record"),
        (b'{"kind":"header","schema":2}\n', "schema 2"), (b'{"kind":"step"}\n', "not a negtemp record"),
        (b"\xff\xfe\n", "is not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_run_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    (tmp_path / "records.jsonl").write_bytes(content)
    for run in (tmp_path, tmp_path / "records.jsonl"):
        assert words in refused(capsys, str(run), "-o", str(tmp_path / "a.html"))
    assert not (tmp_path / "a.html").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no folder of records" in refused(capsys, str(tmp_path), "-o", str(tmp_path / "a.html"))
    assert "cannot read" in refused(capsys, str(tmp_path / "none"), "-o", str(tmp_path / "a.html"))


def test_a_report_replaces_a_report_and_nothing_else(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = runs / "census", tmp_path / "a.html"
    reports.negtemp("report", str(run), "-o", str(out))
    first = out.read_bytes()
    reports.negtemp("report", str(run), "-o", str(out))
    assert out.read_bytes() == first
    out.write_bytes(b"my own page")
    assert "is there and is no report" in refused(capsys, str(run), "-o", str(out))
    assert out.read_bytes() == b"my own page"
    records = run / "records.jsonl"
    before = records.read_bytes()
    assert "is no report" in refused(capsys, str(run), "-o", str(records))
    assert records.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_an_output_that_cannot_be_is_refused_before_anything_is_read(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is a folder" in refused(capsys, str(runs / "census"), "-o", str(tmp_path))
    assert "does not exist" in refused(capsys, str(runs / "census"), "-o", str(tmp_path / "none" / "a.html"))


def test_a_device_is_written_to_as_it_is(runs: Path) -> None:
    done = subprocess.run(
        [NEGTEMP, "report", str(runs / "census"), "-o", "/dev/stdout"], capture_output=True, check=False
    )
    assert done.returncode == 0 and done.stdout.endswith(b"</html>\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not here")
def test_a_full_disk_is_one_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot write" in refused(capsys, str(runs / "census"), "-o", "/dev/full")


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_one_line_that_says_what_to_install(runs: Path, missing: str, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, sys; found = u.find_spec; "
        f"u.find_spec = lambda name, *rest: None if name == {missing!r} else found(name, *rest); "
        f"from negtemp.cli.main import run; sys.exit(run(['report', {str(runs / 'census')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"negtemp: report needs {missing}; run: pip install 'negtemp[report]'\n"
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_of_a_sweep_says_when_and_where_it_ran(pages: dict[str, str], runs: Path) -> None:
    sitting = json.loads((runs / "sweep" / "manifest.json").read_text())["sessions"][0]
    shown = words(pages["sweep"])
    assert sitting["started"] in shown and sitting["platform"] in shown
