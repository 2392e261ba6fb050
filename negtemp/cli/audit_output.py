"""Where an audit goes: what it asks for to a run directory where that is every token, records to the sink, tables to
standard output, files to where the options say."""

import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from negtemp.cli.output import Output, note, progress_bar
from negtemp.errors import OutputError, PromptError
from negtemp.experiments.asking import Ask, every_token
from negtemp.experiments.audit import AuditSettings
from negtemp.experiments.elicitation import Elicitor
from negtemp.model.engine.engine import Engine
from negtemp.printable import printable_path
from negtemp.runs import asking as asked
from negtemp.runs.audits import AuditRun
from negtemp.runs.execution import Execution
from negtemp.views import audit as view
from negtemp.views import audit_report, presenters


def asking(engine: Engine, how: Execution, settings: AuditSettings) -> Ask | None:
    """What asks for the tokens of an audit elsewhere or keeps the answers, if anything. Raises UsageError."""
    return asked.on(engine, how, _kept_in(engine) if settings.exhaustive and settings.verify else None)


def _kept_in(engine: Engine) -> Path | None:
    """The folder for every token's answers, said on standard error; None where they cannot be kept or asked for."""
    try:
        folder = asked.own_folder(engine, every_token(Elicitor(engine)))
    except PromptError:  # which the audit goes without
        return None
    if not os.access(".", os.W_OK):
        note("answers are not kept, since this folder cannot be written to; an interruption would lose them")
        return None
    note(f"answers are kept in {printable_path(folder)}; the same command goes on where this one stops")
    return folder


def ask_for_shard(engine: Engine, how: Execution) -> None:
    """Ask for the windows of a shard that are not asked for yet. Raises PromptError, OutputError, DecodeError."""
    plan = every_token(Elicitor(engine))
    folder = asked.own_folder(engine, plan)
    records = asked.records(engine, plan, how, folder)
    deque(progress_bar(records, how.shard.count(len(plan)), "asking for 64 tokens each"), maxlen=0)
    where = printable_path(folder)
    note(f"shard {how.shard} is in {where}; once all are there: negtemp merge {where}, then this without --shard")


def write(done: AuditRun, out: Output, every: bool, drawn: bool) -> None:
    """Header, tokens and the whole, as records and as tables; every token is drawn only where `drawn` says so."""
    out.begin(done.header)
    listed = view.chosen(done.tokens, every)
    for record in (*listed, done.audit):
        out.write(record)
    if every and not drawn:
        note(f"{len(listed):,} tokens are in the records; here stand the first")
    out.draw(done.header, [*done.tokens, done.audit], presenters.audit, every and drawn)


def files(done: AuditRun, ban: Path | None, report: Path | None, csv: Path | None, every: bool) -> None:
    """Write what was asked for. Raises OutputError."""
    listed = view.chosen(done.tokens, every)
    texts: Mapping[Path | None, str] = {
        ban: audit_report.ban_list(done.tokens, done.audit),
        report: audit_report.markdown(done.header, listed, done.audit, view.pieces(listed, done.tokens)),
        csv: audit_report.comma_separated(listed),
    }
    for path, text in texts.items():
        if path is not None:
            _write(path, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"cannot write {printable_path(path)}: {error.strerror}; give another file") from None
    note(f"wrote {printable_path(path)}")
