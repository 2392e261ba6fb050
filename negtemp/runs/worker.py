"""One worker of a sweep: a process of its own with one model loaded, told by lines and answering by lines.

    python -m negtemp.runs.worker

Standard input: a Job as JSON, then a unit's place in the plan a line, `end` where no more come, `stop` where what has
not begun is to be left. Standard output: `{"ready": slots, "devices": [...]}` or `{"refused": ..., "error": ...}`, then
the records of each unit, a Completion or Failure last. Where standard input ends before either word, whoever asked is
gone, and the process ends at once. It writes no file; `workers` starts it and keeps what it answers.
"""

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from negtemp.errors import NegtempError
from negtemp.experiments.sweep import SweepPlan, Unit, batch_shape, sweep
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.records import to_line

END, STOP = "end", "stop"


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker of a sweep is told first: the model, how to load it, and the settings of the sweep's header."""

    model: str
    plan: dict[str, Any]
    n_gpu_layers: int
    threads: int | None
    parallel: int | None

    def to_line(self) -> str:
        return json.dumps(asdict(self))


class Inbox(Iterator[Unit]):
    """Units as they are told, without waiting: StopIteration means none just now."""

    def __init__(self, plan: SweepPlan, lines: IO[str]) -> None:
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

    def __next__(self) -> Unit:
        if self._next is None and not self._closed:
            with contextlib.suppress(queue.Empty):
                self._take(self._told.get_nowait())
        if self._next is None or self._stopped:
            raise StopIteration
        unit = self._plan.unit(int(self._next))
        self._next = None
        return unit


def serve(lines: IO[str], out: IO[str]) -> None:
    """Answer one job. Raises NegtempError."""
    job = Job(**json.loads(lines.readline()))
    plan = SweepPlan.from_dict(job.plan)
    with Model(library.load(), Path(job.model), job.n_gpu_layers) as model:
        engine = Engine(model, job.threads)
        shape = batch_shape(engine, plan, job.parallel)
        devices = [device.name for device in library.devices(model.library)]
        _say(out, json.dumps({"ready": shape.slots, "devices": devices}))
        inbox = Inbox(plan, lines)
        while inbox.wait():
            for record in sweep(engine, plan, shape, inbox):
                _say(out, to_line(record))


def _say(out: IO[str], line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


def main() -> None:
    """The process. What it refuses it says in its answer, in one line."""
    try:
        serve(sys.stdin, sys.stdout)
    except NegtempError as error:
        _say(sys.stdout, json.dumps({"refused": str(error), "error": type(error).__name__}))
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    main()
