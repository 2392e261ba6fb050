"""What `audit` and `scan` share: run an audit with progress on standard error, or read one that was saved."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from negtemp.cli import session
from negtemp.errors import RecordError, UsageError
from negtemp.experiments.audit import AuditSettings, audit
from negtemp.model import source
from negtemp.model.engine import Engine
from negtemp.model.weights import Weights
from negtemp.records import Audit, AuditToken, Header, Record, from_line
from negtemp.views import console, progress


class Done(NamedTuple):
    """One whole audit."""

    header: Header
    tokens: list[AuditToken]
    audit: Audit

    @property
    def whole(self) -> bool:
        """Whether every token of the vocabulary is there."""
        return bool(len(self.tokens) == self.header.model["vocabulary"])


def run(engine: Engine, settings: AuditSettings, described: Mapping[str, Any]) -> Done:
    """An audit of the engine's model. Raises ModelError and DecodeError."""

    def watch(items: Iterable[object], total: int, what: str) -> Iterator[object]:
        return progress.tracked(items, total, what, console.stderr())

    with Weights(engine.model.library, engine.model.path) as weights:
        records = list(audit(engine, weights, settings, watch))
    return _done(session.header("audit", engine, described), records)


def of(path: Path, settings: AuditSettings, described: Mapping[str, Any], gpu_layers: int, threads: int | None) -> Done:
    """The audit of a model file, or the saved one of the whole vocabulary. Raises UsageError and ModelError."""
    if is_saved(path):
        done = read(path)
        if not done.whole:
            raise UsageError(
                f"{source.shown(path)} holds {len(done.tokens)} of {done.header.model['vocabulary']} tokens; "
                "save the audit with --all"
            )
        return done
    with session.open_engine(path, gpu_layers, threads) as engine:
        return run(engine, settings, described)


def with_truth(done: Done, figures: Mapping[str, Any]) -> Done:
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


def read(path: Path) -> Done:
    """An audit that `--json` or `--output` wrote. Raises UsageError where it is none, RecordError for a broken line."""
    shown = source.shown(path)
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


def _done(header: Header, records: Iterable[Record]) -> Done:
    tokens, summary = [], None
    for record in records:
        if isinstance(record, AuditToken):
            tokens.append(record)
        elif isinstance(record, Audit):
            summary = record
    assert summary is not None
    return Done(header, tokens, summary)
