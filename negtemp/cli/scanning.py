"""The loop of `scan`: file after file, one line for each that cannot be read, the table at the end."""

from collections.abc import Sequence
from pathlib import Path

import typer

from negtemp.cli.session import Sink
from negtemp.errors import ScanError, UsageError
from negtemp.experiments.difference import is_suspect
from negtemp.experiments.scan import Scanner
from negtemp.model.tokens.categories import IN_TEXT
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.printable import printable_path
from negtemp.records import Header, Occurrence, Scanned
from negtemp.runs.audits import AuditRun
from negtemp.views import console
from negtemp.views import scan as view

_FAILED, _PARTIAL = 1, 4


def require_same(done: AuditRun, vocabulary: Vocabulary, audit: Path | None) -> None:
    """Raise UsageError where a saved audit is of another vocabulary than the model."""
    same = done.header.model.vocabulary == vocabulary.size
    if not same or any(vocabulary.piece(token.token_id) != token.raw for token in done.tokens):
        raise UsageError(
            f"{printable_path(audit or Path())} is an audit of another vocabulary; give its own model with --model"
        )


def scan(
    done: AuditRun, vocabulary: Vocabulary | None, files: Sequence[Path], header: Header, sink: Sink, every: bool,
    json: bool,
) -> int:  # fmt: skip
    """Records and table of all files; the exit status: 0, 1 where no file could be read, 4 where some could not."""
    tokens = [token for token in done.tokens if is_suspect(token) and token.category in IN_TEXT]
    scanner, failed = Scanner(tokens, vocabulary), 0
    found: list[Occurrence] = []
    read: list[Scanned] = []
    sink.write(header)
    if done.audit.problem:
        typer.echo(f"negtemp: {done.audit.problem}; so there is no token to look for", err=True)
    for path in files:
        try:
            for record in scanner.scan(path):
                sink.write(record)
                (found if isinstance(record, Occurrence) else read).append(record)  # type: ignore[arg-type]
        except ScanError as error:
            failed += 1
            typer.echo(f"negtemp: {error}", err=True)
    if not json:
        _show(found, read, len(tokens), every)
    return 0 if not failed else _PARTIAL if read else _FAILED


def _show(found: Sequence[Occurrence], read: Sequence[Scanned], searched: int, every: bool) -> None:
    out = console.stdout()
    told = sorted((one for one in found if one.tokens != 0), key=lambda one: -(one.tokens or one.strings))
    shown = told if every else told[: view.SHOWN]
    if shown:
        out.print(view.occurrences(shown))
    if len(shown) < len(told):
        out.print(f" … {len(shown)} of {len(told)}; --all and --json give all", style="dim")
    out.print(f"{searched:,} suspect tokens that a text can hold were searched for.")
    for one in read:
        out.print(view.summary(one))
