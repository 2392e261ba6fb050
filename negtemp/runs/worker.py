"""One worker: one model loaded, told units by lines and answering by lines, in a process or a Ray actor.

    python -m negtemp.runs.worker

It is told a Job as JSON, then a unit's place in the plan a line, `end` where no more come, `stop` where what has not
begun is to be left. It answers `{"ready": slots, "devices": [...]}` or `{"refused": ..., "error": ...}`, then the
records of each unit, a Completion, Asked or Failure last. Where the lines end before either word, whoever asked is
gone, and the process ends at once. It writes no file; `workers` tells it what to do and keeps what it answers.
"""

import contextlib
import json
import os
import platform
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from negtemp.errors import EngineError, ModelError, NegtempError, UsageError
from negtemp.experiments import asking
from negtemp.experiments.asking import AskingPlan
from negtemp.experiments.sweep import SweepPlan, batch_shape, sweep
from negtemp.model import fingerprint, library, model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.weights import gguf
from negtemp.printable import printable_path, printable_text
from negtemp.records import Failure, Record, to_line

END, STOP = "end", "stop"

# as the header of a run directory names it
Kind = Literal["sweep", "audit --exhaustive"]


class Unit(Protocol):
    """What one worker does at a time; `number` is its place in the plan."""

    @property
    def number(self) -> int: ...


class Plan(Protocol):
    """Units of one kind, by their places."""

    def __len__(self) -> int: ...

    def unit(self, number: int) -> Any:
        """The unit at a place."""

    def key(self, unit: Any) -> str:
        """A hash of its content."""

    def failed(self, unit: Any, reason: str) -> Failure:
        """The record of one that cannot be done. Raises DecodeError where there is no doing without it."""


_PLANS: Mapping[str, Callable[[Mapping[str, Any]], Plan]] = {
    "sweep": SweepPlan.from_dict, "audit --exhaustive": AskingPlan.from_dict
}  # fmt: skip


def plan_of(kind: str, settings: Mapping[str, Any]) -> Plan:
    """The plan of a kind whose header holds these settings. Raises UsageError where they are those of none."""
    if kind not in _PLANS:
        raise UsageError(f"a run of `{printable_text(kind)}` has no units; give a sweep, or what an audit asked for")
    return _PLANS[kind](settings)


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker is told first: the model, how to load it, and the settings of the plan's header.

    A worker refuses another model than that of the fingerprint, and another build of the library.
    """

    model: str
    plan: dict[str, Any]
    n_gpu_layers: int
    threads: int | None
    parallel: int | None
    fingerprint: str | None = None
    build: list[str] | None = None
    kind: Kind = "sweep"

    @classmethod
    def of(cls, model: Model, kind: Kind, plan: dict[str, Any], parallel: int | None = None) -> "Job":
        """The job on a loaded model: its files and its library are those that a worker must have."""
        path, built = str(model.path.absolute()), build(model.library)
        return cls(path, plan, 0, None, parallel, model.fingerprint(), built, kind)

    def whole(self) -> Plan:
        """The plan. Raises UsageError for settings of none."""
        return plan_of(self.kind, self.plan)

    def to_line(self) -> str:
        return json.dumps(asdict(self))


class Inbox(Iterator[Any]):
    """Units as they are told, without waiting: StopIteration means none just now."""

    def __init__(self, plan: Plan, lines: Iterable[str]) -> None:
        self._plan, self._lines = plan, lines
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._next: str | None = None
        self._closed = self._stopped = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            word = line.strip()
            self._stopped = word == STOP
            self._told.put(word)
            if word in (END, STOP):
                return
        os._exit(1)  # whoever asked is gone

    def wait(self) -> bool:
        """Wait for a unit; False where no more come."""
        if self._next is None and not self._closed:
            self._take(self._told.get())
        return self._next is not None and not self._stopped

    def _take(self, word: str) -> None:
        if word in (END, STOP):
            self._closed = True
        else:
            self._next = word

    def __next__(self) -> Any:
        if self._next is None and not self._closed:
            with contextlib.suppress(queue.Empty):
                self._take(self._told.get_nowait())
        if self._next is None or self._stopped:
            raise StopIteration
        unit = self._plan.unit(int(self._next))
        self._next = None
        return unit


def check(job: Job) -> Library:
    """The library here, where it and the model's files are those that the job is about. Raises NegtempError."""
    built = library.load()
    if job.build and job.build != build(built):
        raise EngineError(f"{platform.node()} has another build of the library: {_said(built)}; build both alike")
    path = Path(job.model)
    model_file.check(path)
    found = fingerprint.fingerprint(gguf.splits(built, path))
    if job.fingerprint and found != job.fingerprint:
        raise ModelError(
            f"{printable_path(path)} on {platform.node()} is another model: its sha256 is {found[:12]}…, "
            f"not {job.fingerprint[:12]}…"
        )
    return built


def build(built: Library) -> list[str]:
    """What two builds must have in common to give the same records."""
    return [built.version, *built.patches]


def _said(built: Library) -> str:
    return f"llama-cpp-python {built.version} with {len(built.patches)} patches"


def answers(lines: Iterator[str]) -> Iterator[str]:
    """What a worker answers to one job, line by line. What it refuses is its last line."""
    try:
        yield from _answers(lines)
    except NegtempError as error:
        yield json.dumps({"refused": str(error), "error": type(error).__name__})


def _answers(lines: Iterator[str]) -> Iterator[str]:
    job = Job(**json.loads(next(lines)))
    plan = job.whole()
    with Model(check(job), Path(job.model), job.n_gpu_layers) as model:
        slots, run = _ready(Engine(model, job.threads), plan, job.parallel)
        devices = [device.name for device in library.devices(model.library)]
        yield json.dumps({"ready": slots, "devices": devices})
        inbox = Inbox(plan, lines)
        while inbox.wait():
            for record in run(inbox):
                yield to_line(record)


def _ready(engine: Engine, plan: Plan, parallel: int | None) -> tuple[int, Callable[[Iterator[Any]], Iterator[Record]]]:
    """How many units are done at once, and what does them."""
    if isinstance(plan, AskingPlan):
        return 1, partial(asking.on_engine, engine, plan)
    assert isinstance(plan, SweepPlan)
    shape = batch_shape(engine, plan, parallel)
    return shape.slots, partial(sweep, engine, plan, shape)


def main() -> None:
    """The process: standard input to standard output."""
    try:
        for line in answers(sys.stdin):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    main()
