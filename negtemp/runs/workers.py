"""The units of a plan on several workers, each with one model; the caller alone writes.

A worker (`worker`) is a process here (`processes`) or an actor of a Ray cluster (`ray_cluster`): lines to it and lines
from it. Each holds a few units more than it decodes at once and gets another for each that it answers, so fast and slow
devices end together. A worker that dies is started again, and what it had not answered goes to whoever is free: a unit
is answered once. A unit at which a worker died three times has failed; one that only waited there is not to blame.
"""

import itertools
import json
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from negtemp import errors
from negtemp.errors import DecodeError, ModelError, UsageError
from negtemp.printable import printable_text
from negtemp.records import Asked, Completion, Failure, Step, from_line
from negtemp.runs.worker import END, STOP, Job, Unit

_ATTEMPTS = 3
_AHEAD = 2

Answer = Step | Completion | Asked | Failure


class Link(Protocol):
    """A worker somewhere, as seen from here."""

    device: str | None

    def tell(self, line: str) -> None:
        """Send a line; one who is gone is noticed by the end of its lines."""

    def lines(self) -> Iterator[str]:
        """What it answers, whole lines only, until its end."""

    def kill(self) -> None:
        """End it at once, so that its lines end."""

    def close(self) -> str:
        """How it ended, once its lines have."""


class Said(NamedTuple):
    """One line of a worker; None at its end."""

    worker: "_Worker"
    line: str | None


@dataclass(eq=False)
class _Worker:
    """One worker, the units it has been given and not answered, and the steps of a unit under way."""

    link: Link
    number: int
    slots: int = 0
    given: dict[int, Unit] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    told_end: bool = False


class Workers:
    """Runs units on `count` workers; `start` makes the link to the one of a number."""

    def __init__(self, job: Job, count: int, start: Callable[[int], Link]) -> None:
        """Raises UsageError for no worker."""
        if count < 1:
            raise UsageError(f"`workers` is {count}; give a whole number of at least 1")
        self._job, self._plan = job, job.whole()
        self._count, self._link = count, start
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._live: list[_Worker] = []
        self._again: deque[Unit] = deque()
        self._deaths: Counter[int] = Counter()
        self._stillborn = 0

    def run(self, units: Iterator[Unit], stopping: Callable[[], bool] = lambda: False) -> Iterator[Answer]:
        """The records of the units, each unit's together, in order of completion.

        Once `stopping` says so, what has begun is finished and no more is. Raises NegtempError as a
        worker does.
        """
        try:
            self._live = [self._start(number) for number in range(self._count)]
            while self._live:
                worker, line = self._said.get()
                if line is None:
                    yield from self._ended(worker)
                else:
                    yield from self._heard(worker, line)
                if stopping():
                    self._close(STOP)
                for each in self._live if self._again else [worker]:
                    self._give(each, units)
        finally:
            self._kill()

    def _start(self, number: int) -> _Worker:
        """A new worker, and a thread that listens to it."""
        worker = _Worker(self._link(number), number)
        worker.link.tell(self._job.to_line())
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        for line in worker.link.lines():
            self._said.put(Said(worker, line))
        self._said.put(Said(worker, None))

    def _heard(self, worker: _Worker, line: str) -> Iterator[Answer]:
        """What a line brings: nothing yet, or all records of a unit."""
        if not line.startswith('{"kind"'):
            self._about_itself(worker, json.loads(line))
            return
        record = from_line(line)
        if isinstance(record, Step):
            worker.steps.append(record)
        elif isinstance(record, Completion | Asked | Failure):
            del worker.given[record.sequence]
            yield from worker.steps
            worker.steps.clear()
            yield record

    def _about_itself(self, worker: _Worker, said: dict[str, object]) -> None:
        """Note that it is ready. Raises what it refuses."""
        if "refused" in said:
            raise getattr(errors, str(said["error"]), DecodeError)(str(said["refused"]))
        seen = [str(name) for name in said["devices"]] if isinstance(said["devices"], list) else []
        device = worker.link.device
        if device is not None and all(name == "CPU" for name in seen):
            raise UsageError(f"the device {printable_text(device)} is not there: a worker that may use it "
                             "alone sees no GPU; `negtemp doctor` lists what this build sees")  # fmt: skip
        worker.slots = int(str(said["ready"]))

    def _give(self, worker: _Worker, units: Iterator[Unit]) -> None:
        """As many units as it should hold; where there are none left anywhere, the word to all that no more come."""
        if not worker.slots or worker.told_end:
            return
        while len(worker.given) < _AHEAD * worker.slots:
            unit = self._next(worker, units)
            if unit is None:
                break
            worker.given[unit.number] = unit
            worker.link.tell(str(unit.number))
        if not worker.given and not self._again and not any(each.given for each in self._live):
            self._close(END)

    def _next(self, worker: _Worker, units: Iterator[Unit]) -> Unit | None:
        """The unit to run next: first those of dead workers, alone where it had begun there and so may have done it."""
        if any(self._deaths[number] for number in worker.given):
            return None
        if not self._again:
            return next(units, None)
        suspected = self._deaths[self._again[0].number]
        return None if suspected and worker.given else self._again.popleft()

    def _close(self, word: str) -> None:
        """Tell all that no more come; one that is not ready need not become so."""
        for worker in self._live:
            if not worker.told_end:
                worker.told_end = True
                worker.link.tell(word) if worker.slots else worker.link.kill()

    def _ended(self, worker: _Worker) -> Iterator[Failure]:
        """A worker's output is over: where it was told that no more come, that is all; else another takes its place."""
        self._live.remove(worker)
        how = worker.link.close()
        if worker.told_end:
            return
        self._stillborn = 0 if worker.slots else self._stillborn + 1
        if self._stillborn == _ATTEMPTS:
            raise ModelError(f"workers ended {_ATTEMPTS} times, last {how}, before they had loaded the model")
        self._deaths.update(itertools.islice(worker.given, worker.slots))  # it begins them in order
        for unit in worker.given.values():
            if self._deaths[unit.number] < _ATTEMPTS:
                self._again.append(unit)
            else:
                yield self._plan.failed(unit, f"the worker that had it ended {_ATTEMPTS} times, last {how}")
        self._live.append(self._start(worker.number))

    def _kill(self) -> None:
        for worker in self._live:
            worker.link.kill()
        ended = 0
        while ended < len(self._live):  # each listener's last word, behind which its lines are over
            ended += self._said.get().line is None
        for worker in self._live:
            worker.link.close()
        self._live.clear()
