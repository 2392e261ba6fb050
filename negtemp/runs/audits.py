"""One whole audit: made now, or read from what `audit` wrote."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from negtemp.errors import UsageError
from negtemp.experiments.asking import Ask
from negtemp.experiments.audit import AuditSettings, audit
from negtemp.model.engine.engine import Engine
from negtemp.model.weights.tensors import Weights
from negtemp.printable import printable_path
from negtemp.progress import ProgressHook
from negtemp.records import Audit, AuditToken, Header, JsonValue, Record
from negtemp.records.audit import AgainstCounts
from negtemp.runs.provenance import header
from negtemp.runs.reading import is_run, read_run


class AuditRun(NamedTuple):
    """One whole audit."""

    header: Header
    tokens: list[AuditToken]
    audit: Audit

    @property
    def whole(self) -> bool:
        """Whether every token of the vocabulary is there."""
        return len(self.tokens) == self.header.model.vocabulary


def run(
    engine: Engine, settings: AuditSettings, described: Mapping[str, JsonValue], progress: ProgressHook,
    ask: Ask | None = None,
) -> AuditRun:  # fmt: skip
    """An audit of the engine's model, by what asks for tokens elsewhere if any. Raises ModelError and DecodeError."""
    with Weights(engine.model.library, engine.model.path) as weights:
        records = list(audit(engine, weights, settings, progress, ask))
    return _done(header("audit", engine, described), records)


def load_or_run(
    given: str, open_engine: Callable[[str], AbstractContextManager[Engine]], settings: AuditSettings,
    described: Mapping[str, JsonValue], progress: ProgressHook,
) -> AuditRun:  # fmt: skip
    """The saved audit of a whole vocabulary, or an audit of a model, by path or name. Raises UsageError, ModelError."""
    path = Path(given)
    if is_run(path):
        done = read(path)
        if not done.whole:
            raise UsageError(
                f"{printable_path(path)} holds {len(done.tokens)} of {done.header.model.vocabulary} tokens; "
                "save the audit with --all"
            )
        return done
    with open_engine(given) as engine:
        return run(engine, settings, described, progress)


def with_truth(done: AuditRun, figures: AgainstCounts) -> AuditRun:
    """The same audit, with its figures against known counts."""
    return done._replace(audit=replace(done.audit, truth=figures))


def read(path: Path) -> AuditRun:
    """An audit that `--json` or `--output` wrote: a folder, a file or a pipe.

    Raises UsageError where it is none, RecordError where it cannot be read.
    """
    run = read_run(path)
    records = list(run.records)
    if not records or not isinstance(records[-1], Audit):
        raise UsageError(f"{run.name} holds no whole audit; give what `negtemp audit --json` or `-o` wrote")
    return _done(run.header, records)


def _done(header: Header, records: Iterable[Record]) -> AuditRun:
    tokens, summary = [], None
    for record in records:
        if isinstance(record, AuditToken):
            tokens.append(record)
        elif isinstance(record, Audit):
            summary = record
    assert summary is not None
    return AuditRun(header, tokens, summary)
