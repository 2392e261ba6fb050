"""A sweep from the command line: open its run directory, run what is left, say how far it came, draw the table."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from negtemp.cli import interruption
from negtemp.cli.messages import shell_command, with_flags
from negtemp.cli.output import Output
from negtemp.errors import NegtempError
from negtemp.experiments import sweep as experiment
from negtemp.experiments.summary import summarize
from negtemp.experiments.sweep import SweepPlan
from negtemp.model.engine.engine import Engine
from negtemp.printable import printable_path
from negtemp.records import Failure, Record, Step
from negtemp.runs import reading, sweeping
from negtemp.runs.store import Store
from negtemp.views import console, presenters, progress
from negtemp.views import sweep as view

_PARTIAL = 4
_REASONS_SHOWN = 3


class SweepRunner:
    """A plan on an engine, in a run directory of its own or the one that is named."""

    def __init__(self, engine: Engine, plan: SweepPlan, parallel: int | None, folder: Path | None, out: Output) -> None:
        self._engine, self._plan, self._out = engine, plan, out
        self._shape = experiment.batch_shape(engine, plan, parallel)
        self._header = sweeping.header(engine, plan)
        self._folder = folder or sweeping.own_folder(self._header)
        self._err = console.stderr()

    def forecast(self) -> None:
        """Show what the sweep will take; nothing is saved."""
        finished = sweeping.finished(self._folder, self._header)
        found = experiment.forecast(self._engine, self._plan, self._shape, finished)
        self._out.begin(self._header)
        self._out.write(found)
        rows = [*view.forecast(found), ("folder", printable_path(self._folder))]
        self._out.show(console.Line(f"{name:<8} {value}") for name, value in rows)

    def run(self) -> int:
        """Run what is left; the exit status. Raises NegtempError, after saying how far it came."""
        with interruption.graceful_stop() as interrupted:
            store = sweeping.open_store(self._folder, self._engine, self._plan, self._shape)
            try:
                with store:
                    self._announce(store)
                    self._run(store, interrupted)
            except KeyboardInterrupt:
                self._err.print()
                self._say_how_far(store, "interrupted: ")
                return interruption.STATUS
            except BrokenPipeError:
                raise
            except (NegtempError, OSError):
                self._say_how_far(store)
                raise
        return self._end()

    def _announce(self, store: Store) -> None:
        finished = f", {store.saved:,} of them finished" if store.saved else ""
        parts = [f"{len(self._plan):,} units{finished}", f"{self._shape.slots} at once", printable_path(self._folder)]
        self._err.print(console.title(self._header, " · ".join(parts)), style="dim", soft_wrap=True)

    def _run(self, store: Store, interrupted: Event) -> None:
        self._out.begin(self._header)
        records = self._out.tee(sweeping.resume(self._engine, self._plan, self._shape, store))
        units = (record for record in records if not isinstance(record, Step))
        for _ in progress.tracked(units, len(self._plan), "sweep", self._err, store.saved):
            if interrupted.is_set():
                raise KeyboardInterrupt

    def _say_how_far(self, store: Store, begin: str = "") -> None:
        command = shell_command(["negtemp", *sys.argv[1:]], sys.stderr.encoding)
        saved = f"{store.saved:,} of {len(self._plan):,} units are saved in {printable_path(self._folder)}"
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
