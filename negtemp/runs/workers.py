"""A sweep's units on several processes of this machine, each with one model; the caller alone writes.

Every worker (`worker`) holds a few units more than it decodes at once and gets another for each that it answers, so
fast and slow devices end together. A worker that dies is started again, and what it had not answered goes to whoever is
free: a unit is answered once. A unit at which a worker died three times becomes a Failure. Processes are started anew,
never forked, since CUDA does not survive a fork; each sees the device it is given (`CUDA_VISIBLE_DEVICES`: an index, a
UUID or a MIG name) and no other.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from negtemp import errors
from negtemp.errors import DecodeError, ModelError, UsageError
from negtemp.experiments.sweep import SweepPlan, Unit
from negtemp.printable import printable_text
from negtemp.records import Completion, Failure, Step, from_line
from negtemp.runs.worker import END, STOP, Job

COMMAND = (sys.executable, "-m", "negtemp.runs.worker")
_ATTEMPTS = 3
_AHEAD = 2

Answer = Step | Completion | Failure


class Said(NamedTuple):
    """One line of a worker's standard output; None at its end."""

    worker: "Process"
    line: str | None


@dataclass(eq=False)
class Process:
    """One worker: its process, the units it has been given and not answered, and the steps of a unit under way."""

    device: str | None
    process: subprocess.Popen[str]
    slots: int = 0
    given: dict[int, Unit] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    told_end: bool = False

    def close(self) -> int:
        """Wait for its end; the exit status."""
        status = self.process.wait()
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # what it did not read
            self.process.stdin.close()
        return status

    def tell(self, word: str) -> None:
        """Send a line; one who is gone is noticed by the end of its output."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()


class Workers:
    """Runs units on `count` processes, pinned to `devices` in turn where there are any."""

    def __init__(self, job: Job, count: int, devices: Sequence[str] = (), command: Sequence[str] = COMMAND) -> None:
        """Raises UsageError for no worker."""
        if count < 1:
            raise UsageError(f"`workers` is {count}; give a whole number of at least 1")
        self._job, self._plan = job, SweepPlan.from_dict(job.plan)
        self._count, self._devices, self._command = count, tuple(devices), tuple(command)
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._live: list[Process] = []
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

    def _start(self, number: int) -> Process:
        """A new process, and a thread that listens to it."""
        device = self._devices[number % len(self._devices)] if self._devices else None
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": device} if device is not None else {})
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
            start_new_session=True,  # Ctrl-C in a terminal is for the driver alone
        )  # fmt: skip
        worker = Process(device, process)
        worker.tell(self._job.to_line())
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: Process) -> None:
        assert worker.process.stdout
        with worker.process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # what a dying worker tore is no line
                    self._said.put(Said(worker, line))
        self._said.put(Said(worker, None))

    def _heard(self, worker: Process, line: str) -> Iterator[Answer]:
        """What a line brings: nothing yet, or all records of a unit."""
        if not line.startswith('{"kind"'):
            self._about_itself(worker, json.loads(line))
            return
        record = from_line(line)
        if isinstance(record, Step):
            worker.steps.append(record)
        elif isinstance(record, Completion | Failure):
            del worker.given[record.sequence]
            yield from worker.steps
            worker.steps.clear()
            yield record

    def _about_itself(self, worker: Process, said: dict[str, object]) -> None:
        """Note that it is ready. Raises what it refuses."""
        if "refused" in said:
            raise getattr(errors, str(said["error"]), DecodeError)(str(said["refused"]))
        seen = [str(name) for name in said["devices"]] if isinstance(said["devices"], list) else []
        if worker.device is not None and all(name == "CPU" for name in seen):
            raise UsageError(f"the device {printable_text(worker.device)} is not there: a worker that may use it "
                             "alone sees no GPU; `negtemp doctor` lists what this build sees")  # fmt: skip
        worker.slots = int(str(said["ready"]))

    def _give(self, worker: Process, units: Iterator[Unit]) -> None:
        """As many units as it should hold; where there are none left anywhere, the word to all that no more come."""
        if not worker.slots or worker.told_end:
            return
        while len(worker.given) < _AHEAD * worker.slots:
            unit = self._next(worker, units)
            if unit is None:
                break
            worker.given[unit.number] = unit
            worker.tell(str(unit.number))
        if not worker.given and not self._again and not any(each.given for each in self._live):
            self._close(END)

    def _next(self, worker: Process, units: Iterator[Unit]) -> Unit | None:
        """The unit to run next: first those of dead workers, each alone on its worker, since one may have done it."""
        if any(self._deaths[number] for number in worker.given):
            return None
        if not self._again:
            return next(units, None)
        return None if worker.given else self._again.popleft()

    def _close(self, word: str) -> None:
        for worker in self._live:
            if not worker.told_end:
                worker.tell(word)
                worker.told_end = True

    def _ended(self, worker: Process) -> Iterator[Failure]:
        """A worker's output is over: where it was told that no more come, that is all; else another takes its place."""
        self._live.remove(worker)
        status = worker.close()
        if worker.told_end:
            return
        self._stillborn = 0 if worker.slots else self._stillborn + 1
        if self._stillborn == _ATTEMPTS:
            raise ModelError(
                f"workers ended {_ATTEMPTS} times, last with status {status}, before they had loaded the model"
            )
        self._deaths.update(worker.given.keys())
        for unit in worker.given.values():
            if self._deaths[unit.number] < _ATTEMPTS:
                self._again.append(unit)
            else:
                yield self._failure(unit, status)
        self._live.append(self._start(self._devices.index(worker.device) if worker.device is not None else 0))

    def _failure(self, unit: Unit, status: int) -> Failure:
        return Failure(
            sequence=unit.number, prompt=unit.prompt, temperature=unit.temperature, seed=unit.seed,
            reason=f"the process that generated it ended {_ATTEMPTS} times, last with status {status}",
            unit=unit.key(self._plan.settings), run_seed=unit.run_seed, repeat=unit.repeat,
        )  # fmt: skip

    def _kill(self) -> None:
        for worker in self._live:
            worker.process.kill()
        ended = 0
        while ended < len(self._live):  # each listener's last word, behind which its pipe is closed
            ended += self._said.get().line is None
        for worker in self._live:
            worker.close()
        self._live.clear()
