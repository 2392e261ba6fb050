"""A sweep from the command line: open its run directory, run what is left, say how far it came, draw the table.

The first Ctrl-C, SIGTERM or SIGUSR1 ends it in order, the second at once. The first sets an event, which a run looks at
before it begins another unit (`runs.execution.Run`): here no more begins, and workers are told to stop behind what they
are at. All that is finished is saved, and the command says how to go on and exits with 130. Worker processes have a
session of their own, which a terminal's Ctrl-C does not reach.

Python runs no handler while llama.cpp computes, so a thread reads the signals from a pipe: it says what is going on
where that takes long, and ends the process at the second signal whatever the main thread is doing. What is saved by
then is whole. SIGUSR1 is what Slurm sends before a job's time is up (`#SBATCH --signal`).
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from negtemp.cli.messages import shell_command, with_flags
from negtemp.cli.output import Output
from negtemp.errors import INTERRUPTED, NegtempError
from negtemp.experiments import sweep as experiment
from negtemp.experiments.summary import summarize
from negtemp.experiments.sweep import SweepPlan
from negtemp.model.engine.engine import Engine
from negtemp.printable import counted, printable_path
from negtemp.records import Failure, Record, Step
from negtemp.runs import reading, sweeping
from negtemp.runs.execution import Execution, kept, unfinished
from negtemp.runs.shards import WHOLE
from negtemp.runs.store import Store
from negtemp.runs.workers import Answer
from negtemp.views import console, presenters, progress
from negtemp.views import sweep as view

_PARTIAL = 4
_REASONS_SHOWN = 3
_PATIENCE_SECONDS = 1.0


class SweepRunner:
    """A plan on an engine, in a run directory of its own or the one that is named."""

    def __init__(self, engine: Engine, plan: SweepPlan, folder: Path | None, execution: Execution, out: Output) -> None:
        self._engine, self._plan, self._execution, self._out = engine, plan, execution, out
        self._units_in_all = execution.shard.count(len(plan))
        self._shape = experiment.batch_shape(engine, plan, execution.parallel)
        self._header = sweeping.header(engine, plan)
        self._folder = execution.shard.folder(folder or sweeping.own_folder(self._header))
        self._err = console.stderr()

    def forecast(self) -> None:
        """Show what the sweep will take; nothing is saved."""
        finished = sweeping.finished(self._folder, self._header)
        engines = self._execution.worker_count
        found = experiment.forecast(self._engine, self._plan, self._shape, finished, self._units_in_all, engines)
        self._out.begin(self._header)
        self._out.write(found)
        rows = [*view.forecast(found), ("folder", printable_path(self._folder))]
        self._out.show(console.Line(f"{name:<8} {value}") for name, value in rows)

    def run(self) -> int:
        """Run what is left; the exit status. Raises NegtempError, after saying how far it came."""
        how = self._execution
        with (
            graceful_stop() as interrupted,
            how.ready(sweeping.task(self._engine, self._plan, self._shape)) as (run, where),
        ):
            store = sweeping.open_store(self._folder, self._engine, self._plan, self._shape, how)
            try:
                with store:
                    self._announce(store, where)
                    left = unfinished(self._plan, store, how.shard)
                    self._keep(kept(run(left, interrupted.is_set), store), store.saved)
            except BrokenPipeError:
                raise
            except (NegtempError, OSError):
                self._say_how_far(store)
                raise
            if interrupted.is_set() and store.saved < self._units_in_all:
                self._err.print()
                self._say_how_far(store, "interrupted: ")
                return INTERRUPTED
        return self._end()

    def _announce(self, store: Store, where: str) -> None:
        finished = f", {store.saved:,} of them finished" if store.saved else ""
        shard = self._execution.shard
        of_shard = "" if shard == WHOLE else f" of shard {shard}"
        at_once = f"{self._shape.slots} at once"
        parts = [
            f"{counted(self._units_in_all, 'unit')}{of_shard}{finished}",
            f"{where}, {at_once} each" if where else at_once,
            printable_path(self._folder),
        ]
        self._err.print(console.title(self._header, " · ".join(parts)), style="dim", soft_wrap=True)

    def _keep(self, records: Iterator[Answer], before: int) -> None:
        self._out.begin(self._header)
        units = (record for record in self._out.tee(records) if not isinstance(record, Step))
        for _ in progress.tracked(units, self._units_in_all, "sweep", self._err, before):
            pass

    def _say_how_far(self, store: Store, begin: str = "") -> None:
        if not store.saved and not begin:
            return
        command = shell_command(["negtemp", *sys.argv[1:]], sys.stderr.encoding)
        saved = f"{store.saved:,} of {self._units_in_all:,} units are saved in {printable_path(self._folder)}"
        self._err.print(f"{begin}{saved}; go on with:\n  {command}", soft_wrap=True)

    def _end(self) -> int:
        """Draw the table and name what failed; the exit status."""
        failures: Counter[str] = Counter()

        def watched() -> Iterator[Record]:
            for record in reading.iterate(self._folder):
                if isinstance(record, Failure):
                    failures[with_flags(view.failure(record))] += 1
                yield record

        summaries = summarize(watched())
        self._out.show(presenters.sweep(self._header, summaries, console.stdout()))
        for reason, count in failures.most_common(_REASONS_SHOWN):
            self._err.print(f"{count:,} units could not be generated: {reason}", soft_wrap=True)
        return _PARTIAL if failures else 0


@contextlib.contextmanager
def graceful_stop() -> Iterator[threading.Event]:
    """The event is set by the first signal. Main thread only."""
    seen = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        seen.set()

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    thread = threading.Thread(target=_watch, args=(reader,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(writer)
        thread.join()
        os.close(reader)


def _watch(reader: int) -> None:
    """Count the signals; the pipe's end means that the run is over."""
    if not os.read(reader, 1):
        return
    if not select.select([reader], [], [], _PATIENCE_SECONDS)[0]:
        _tell("finishing what has begun; once more stops at once")
    if os.read(reader, 1):
        _tell("stopped at once; all that is saved is whole")
        os._exit(INTERRUPTED)


def _tell(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\nnegtemp: {message}\n")
        sys.stderr.flush()
