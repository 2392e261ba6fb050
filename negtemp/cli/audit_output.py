"""Where an audit goes: records to the sink, tables to standard output, files to where the options say."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from negtemp.cli.session import Sink
from negtemp.errors import OutputError
from negtemp.experiments.difference import difference as compare
from negtemp.printable import printable_path
from negtemp.records import AuditToken, Header
from negtemp.records.audit import Change, Difference
from negtemp.runs.audits import AuditRun
from negtemp.views import audit as view
from negtemp.views import audit_report, console


def chosen(done: AuditRun, every: bool) -> list[AuditToken]:
    """The tokens worth a line: candidates and whatever was asked for, or all of them."""
    return [t for t in done.tokens if every or t.candidate or t.probability is not None]


def write(done: AuditRun, sink: Sink, every: bool) -> None:
    """Header, tokens and the whole, as records."""
    sink.write(done.header)
    for token in chosen(done, every):
        sink.write(token)
    sink.write(done.audit)


def pieces(tokens: Sequence[AuditToken], everything: Sequence[AuditToken]) -> dict[int, bytes]:
    """The bytes of the tokens that hold these."""
    wanted = {holder for token in tokens for holder in token.superstrings}
    return {token.token_id: token.raw for token in everything if token.token_id in wanted}


def show(done: AuditRun, every: bool) -> None:
    """The table, the counts by category, the remarks."""
    out = console.stdout()
    console.stderr().print(console.title(done.header), style="dim")
    listed = chosen(done, every)
    telling = [t for t in listed if t.candidate and t.category not in view.LEFT_TO_THE_COUNTS]
    shown = listed if every else telling[: view.SHOWN]
    if shown:
        out.print(view.listing(shown, pieces(shown, done.tokens), out.width))
    if not every and telling:
        out.print(f" {len(shown)} of {len(telling)}, bytes, control and unused tokens left to the counts; "
                  "--all, --json, --report and --csv give more", style="dim")  # fmt: skip
        out.print()
    out.print(view.by_category(done.audit))
    for line in view.remarks(done.audit):
        out.print(line, soft_wrap=False)


def files(done: AuditRun, ban: Path | None, report: Path | None, csv: Path | None, every: bool) -> None:
    """Write what was asked for. Raises OutputError."""
    listed = chosen(done, every)
    texts: Mapping[Path | None, str] = {
        ban: audit_report.ban_list(done.tokens, done.audit),
        report: audit_report.markdown(done.header, listed, done.audit, pieces(listed, done.tokens)),
        csv: audit_report.comma_separated(listed),
    }
    for path, text in texts.items():
        if path is not None:
            _write(path, text)


def require_writable(*paths: Path | None) -> None:
    """Raise OutputError where a file cannot be, before an audit of minutes is made for it."""
    for path in paths:
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            problem = "is a folder" if path.is_dir() else "would be in a folder that does not exist"
            raise OutputError(f"{printable_path(path)} {problem}; give another file")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"cannot write {printable_path(path)}: {error.strerror}; give another file") from None


def difference(first: AuditRun, second: AuditRun, header: Header, sink: Sink, every: bool, json: bool) -> None:
    """Records of what changed, and the table unless they are on standard output already. Raises UsageError."""
    names = (str(first.header.model.file), str(second.header.model.file))
    records = list(compare(first.tokens, second.tokens, names))
    sink.write(header)
    for record in records:
        sink.write(record)
    if json:
        return
    found = [record for record in records if isinstance(record, Change)]
    shown = found if every else [*_top(found, "appeared"), *_top(found, "healed")]
    out = console.stdout()
    if shown:
        out.print(view.changes(shown))
    if len(shown) < len(found):
        out.print(f" … {len(shown)} of {len(found)} changes; --all and --json give all", style="dim")
    out.print(view.change_summary(next(r for r in records if isinstance(r, Difference))))


def _top(found: Sequence[Change], change: str) -> list[Change]:
    return [record for record in found if record.change == change][: view.SHOWN]
