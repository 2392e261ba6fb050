"""`negtemp report`: any saved run as one HTML file, with neither the model nor the library at hand."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from negtemp.runs.reading import SavedRun
    from negtemp.views.report.document import Report

_GENERATOR = b'<meta name="generator" content="negtemp report">'
_HEAD = 1000


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="the folder or file that any command has saved, or - for a pipe")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", rich_help_panel="Output",
            help="the file to write, over a report that is there; - prints it",
        ),
    ] = Path("report.html"),
) -> None:  # fmt: skip
    """A saved run as one HTML file to keep or to send: words, pictures and tables; it opens anywhere, offline."""
    from negtemp.cli.output import note
    from negtemp.printable import printable_path
    from negtemp.runs.reading import STANDARD_INPUT, read_run
    from negtemp.views.report import html

    _require_extra()
    printed = os.fspath(output) == STANDARD_INPUT
    if not printed:
        _require_place(output)
    text = html.page(_report(read_run(run)))
    if printed:
        sys.stdout.buffer.write(text.encode("utf-8"))
        return
    _write(output, text.encode("utf-8"))
    note(f"wrote {printable_path(output)}, {len(text.encode('utf-8')):,} bytes; open it in a browser")


def _report(saved: "SavedRun") -> "Report":
    """What the records come to. A sweep may hold millions, and is read one by one."""
    from negtemp.experiments.summary import summarize
    from negtemp.records import Completion
    from negtemp.views.report import generations, kinds
    from negtemp.views.report.document import Saved

    about = Saved(saved.header, saved.units, saved.sittings)
    if saved.header.command != "sweep":
        return kinds.made(about, saved.records)
    samples: list[Completion] = []
    summaries = summarize(generations.sample(saved.records, samples))
    return kinds.of_sweep(about, summaries, samples)


def _require_extra() -> None:
    from negtemp.errors import OutputError
    from negtemp.views.report import html, svg

    missing = [name for name, there in (("jinja2", html.available()), ("matplotlib", svg.available())) if not there]
    if missing:
        raise OutputError(f"report needs {' and '.join(missing)}; run: pip install 'negtemp[report]'")


def _require_place(path: Path) -> None:
    """Raise OutputError where the file cannot be, or is something else than a report."""
    from negtemp.cli.output import require_writable
    from negtemp.errors import OutputError
    from negtemp.printable import printable_path

    require_writable(path)
    if not path.is_file():
        return
    shown = printable_path(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise OutputError(
            f"cannot read {shown}, which is there: {error.strerror}; give --output another file"
        ) from None
    if head and _GENERATOR not in head:
        raise OutputError(f"{shown} is there and is no report; give --output another file")


def _write(path: Path, data: bytes) -> None:
    """The whole file or nothing. Raises OutputError."""
    from negtemp.errors import OutputError
    from negtemp.printable import printable_path

    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            path.write_bytes(data)
            return
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(
            f"cannot write {printable_path(path)}: {error.strerror}; give --output another file"
        ) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
