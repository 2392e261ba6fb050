"""`negtemp scan`: where tokens that a model never learned occur in prompts, data sets, logs.

Files are looked at before the audit, which takes long; what cannot be read is named, and the rest is read. Ctrl-C shows
what was found until then.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negtemp.cli import options

if TYPE_CHECKING:
    from negtemp.cli.output import Output
    from negtemp.experiments.scan import Found, Scanner
    from negtemp.model.tokens.vocabulary import Vocabulary
    from negtemp.records import AuditToken, Record
    from negtemp.runs.audits import AuditRun
    from negtemp.texts.reading import Layout

_FAILED, _PARTIAL = 1, 4
_AUDIT, _FILES = "Audit", "Files"

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILES...", help="text, JSON in any layout, Parquet; plain, .gz, .bz2 or .zst; `-` is standard input"
    ),
]
SavedAudit = Annotated[
    Path | None,
    typer.Option(
        "--audit", metavar="FILE", rich_help_panel=_AUDIT, help="what `audit --json` wrote, instead of an audit now"
    ),
]
Strings = Annotated[
    bool, typer.Option("--strings", rich_help_panel=_AUDIT, help="count where their text stands; do not tokenize")
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding", metavar="NAME", rich_help_panel=_FILES, show_default="UTF-8, or as a byte order mark says",
        help="of the files, such as utf-16, latin-1 or cp1251",
    ),
]  # fmt: skip
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME", rich_help_panel=_FILES, show_default="as the name or the beginning says",
        help="text, json (lines of it too) or parquet",
    ),
]  # fmt: skip
All = Annotated[bool, typer.Option("--all", rich_help_panel="Output", help="every token found")]


def scan(
    files: Files,
    model: options.Model = None,
    audit: SavedAudit = None,
    strings: Strings = False,
    encoding: Encoding = None,
    layout: Format = None,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    all_tokens: All = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Where under-trained tokens occur in files: how often, in which lines. Reads files of any size."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments.audit import AuditSettings
    from negtemp.experiments.scan import Scanner
    from negtemp.records import JsonValue
    from negtemp.runs import audits
    from negtemp.texts import encodings
    from negtemp.views import presenters

    named = None if encoding is None else encodings.known(encoding)
    given = _layout(layout)
    paths = _readable(files)
    described: dict[str, JsonValue] = {
        "files": list(map(str, files)), "audit": str(audit) if audit else None, "strings": strings, "encoding": named,
        "format": layout,
    }  # fmt: skip
    with outputs.opened(json, output) as out, session.open_engine(model, n_gpu_layers, threads) as engine:
        vocabulary = engine.model.vocabulary
        done = audits.read(audit) if audit else audits.run(engine, AuditSettings(), described, outputs.progress_bar)
        _require_same(done, vocabulary, audit)
        header = session.header("scan", engine, described)
        out.begin(header)
        tokens = _reported(done)
        scanning = _Scanning(Scanner(tokens, None if strings else vocabulary), out, named, given)
        try:
            scanning.scan(paths)
        finally:  # Ctrl-C too shows what was found
            out.draw(header, scanning.records, partial(presenters.scan, searched=len(tokens)), all_tokens)
    raise typer.Exit(scanning.status(len(files)))


def _layout(name: str | None) -> "Layout | None":
    """The layout of this name. Raises UsageError where there is none."""
    from negtemp.errors import UsageError
    from negtemp.texts.reading import LAYOUTS

    for layout in LAYOUTS:
        if layout == name:
            return layout
    if name is not None:
        raise UsageError(f"--format {name!r} is not known; give {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}")
    return None


def _readable(files: Sequence[Path]) -> list[Path]:
    """Those of the files that can be read as far as one sees without opening them; the others are named.

    Raises typer.Exit where there is none, UsageError where standard input is named twice.
    """
    from negtemp.cli.messages import say
    from negtemp.errors import ScanError, UsageError
    from negtemp.texts import inputs, reading

    if files.count(inputs.STANDARD_INPUT) > 1:
        raise UsageError("`-` is given more than once, but standard input can be read only once")
    readable = []
    for path in files:
        try:
            reading.check(path)
        except ScanError as error:
            say(str(error))
        else:
            readable.append(path)
    if not readable:
        raise typer.Exit(_FAILED)
    return readable


def _require_same(done: "AuditRun", vocabulary: "Vocabulary", audit: Path | None) -> None:
    """Raise UsageError where a saved audit is of another vocabulary than the model."""
    from negtemp.errors import UsageError
    from negtemp.printable import printable_path

    same = done.header.model.vocabulary == vocabulary.size
    if not same or any(vocabulary.piece(token.token_id) != token.raw for token in done.tokens):
        raise UsageError(
            f"{printable_path(audit or Path())} is an audit of another vocabulary; give its own model with --model"
        )


def _reported(done: "AuditRun") -> "list[AuditToken]":
    """The tokens to look for; where there can be none, why."""
    from negtemp.cli.messages import say
    from negtemp.model.tokens.categories import IN_TEXT

    if done.audit.problem:
        say(f"{done.audit.problem}; so there is no token to look for")
    return [token for token in done.tokens if token.is_reported and token.category in IN_TEXT]


class _Scanning:
    """The loop over the files, and the records of what came of it."""

    def __init__(self, scanner: "Scanner", out: "Output", encoding: str | None, layout: "Layout | None") -> None:
        self._scanner, self._out = scanner, out
        self._encoding, self._layout = encoding, layout
        self.records: list[Record] = []

    def scan(self, paths: Sequence[Path]) -> None:
        """Read every file. Raises KeyboardInterrupt once what was found until then is kept."""
        from negtemp.cli.messages import say
        from negtemp.errors import EncodingError, ScanError
        from negtemp.experiments.scan import Found
        from negtemp.texts.reading import Reading
        from negtemp.views import console, progress

        for path in paths:
            found = Found(Reading(path, self._encoding, self._layout))
            try:
                with progress.of_bytes(found.reading.name, console.stderr()) as advance:
                    self._scanner.search(found, advance)
            except EncodingError as error:
                say(f"{error}; convert it, or name its encoding with --encoding")
                continue
            except ScanError as error:
                say(str(error))
                continue
            except KeyboardInterrupt:
                self._keep(found)
                say(f"interrupted after {found.reading.position:,} bytes of {found.reading.name}")
                raise
            self._keep(found)

    def _keep(self, found: "Found") -> None:
        self.records += self._out.tee(self._scanner.records(found))

    def status(self, files: int) -> int:
        """0; 1 where no file could be read; 4 where some of them, or some of one, could not."""
        from negtemp.records import Scanned

        read = [record for record in self.records if isinstance(record, Scanned)]
        whole = sum(not scanned.not_utf_8 for scanned in read)
        return 0 if whole == files else _PARTIAL if read else _FAILED
