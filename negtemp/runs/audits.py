"""One whole audit: made now, or read from what `audit` wrote."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from negtemp.errors import RecordError, UsageError
from negtemp.experiments.audit import AuditSettings, audit
from negtemp.experiments.verification import Watch
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.weights.tensors import Weights
from negtemp.records import Audit, AuditToken, Header, JsonValue, Record, from_line
from negtemp.records.audit import AgainstCounts
from negtemp.runs.provenance import header


class AuditRun(NamedTuple):
    """One whole audit."""

    header: Header
    tokens: list[AuditToken]
    audit: Audit

    @property
    def whole(self) -> bool:
        """Whether every token of the vocabulary is there."""
        return len(self.tokens) == self.header.model.vocabulary


def run(engine: Engine, settings: AuditSettings, described: Mapping[str, JsonValue], watch: Watch) -> AuditRun:
    """An audit of the engine's model. Raises ModelError and DecodeError."""
    with Weights(engine.model.library, engine.model.path) as weights:
        records = list(audit(engine, weights, settings, watch))
    return _done(header("audit", engine, described), records)


def load_or_run(
    path: Path, open_engine: Callable[[Path], AbstractContextManager[Engine]], settings: AuditSettings,
    described: Mapping[str, JsonValue], watch: Watch,
) -> AuditRun:  # fmt: skip
    """The saved audit of a whole vocabulary, or an audit of a model file. Raises UsageError and ModelError."""
    if is_saved(path):
        done = read(path)
        if not done.whole:
            raise UsageError(
                f"{model_file.shown(path)} holds {len(done.tokens)} of {done.header.model.vocabulary} tokens; "
                "save the audit with --all"
            )
        return done
    with open_engine(path) as engine:
        return run(engine, settings, described, watch)


def with_truth(done: AuditRun, figures: AgainstCounts) -> AuditRun:
    """The same audit, with its figures against known counts."""
    return done._replace(audit=replace(done.audit, truth=figures))


def is_saved(path: Path) -> bool:
    """Whether a file looks like saved records and not like a model."""
    try:
        with path.open("rb") as file:
            first: bytes = file.read(1)
    except OSError:
        return False  # whoever loads the model says it better
    return first == b"{"


def read(path: Path) -> AuditRun:
    """An audit that `--json` or `--output` wrote. Raises UsageError where it is none, RecordError for a broken line."""
    shown = model_file.shown(path)
    try:
        with path.open(encoding="utf-8") as file:
            records = [from_line(line) for line in file]
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown} is not UTF-8; give what `negtemp audit --json` wrote") from None
    except RecordError as error:
        raise RecordError(f"{shown}: {error}") from None
    headers = [record for record in records if isinstance(record, Header)]
    if not headers or not records or not isinstance(records[-1], Audit):
        raise UsageError(f"{shown} holds no whole audit; give what `negtemp audit --json` wrote")
    return _done(headers[0], records)


def _done(header: Header, records: Iterable[Record]) -> AuditRun:
    tokens, summary = [], None
    for record in records:
        if isinstance(record, AuditToken):
            tokens.append(record)
        elif isinstance(record, Audit):
            summary = record
    assert summary is not None
    return AuditRun(header, tokens, summary)
