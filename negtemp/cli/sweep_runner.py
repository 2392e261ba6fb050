"""One sitting at a sweep: open its run directory, run what is left, say how far it came, and draw the table."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from negtemp.cli import interruption
from negtemp.cli.messages import shell_command, with_flags
from negtemp.cli.session import Sink
from negtemp.errors import NegtempError
from negtemp.experiments import sweep as experiment
from negtemp.experiments.summary import summarize
from negtemp.experiments.sweep import SweepPlan
from negtemp.model.engine.engine import Engine
from negtemp.printable import printable_path
from negtemp.records import Failure, Record, Step, to_line
from negtemp.runs import reading, sweeping
from negtemp.runs.store import Store
from negtemp.views import console, progress
from negtemp.views import sweep as view

_PARTIAL = 4
_REASONS_SHOWN = 3


class Sitting:
    """A plan on an engine, in a run directory of its own or the one that is named."""

    def __init__(self, engine: Engine, plan: SweepPlan, parallel: int | None, folder: Path | None) -> None:
        self._engine, self._plan = engine, plan
        self._shape = experiment.batch_shape(engine, plan, parallel)
        self._header = sweeping.header(engine, plan)
        self._folder = folder or sweeping.own_folder(self._header)
        self._err = console.stderr()

    def forecast(self, json: bool) -> None:
        """Print what the sweep will take; nothing is written."""
        finished = sweeping.finished(self._folder, self._header)
        found = experiment.forecast(self._engine, self._plan, self._shape, finished)
        if json:
            print(f"{to_line(self._header)}\n{to_line(found)}")
            return
        out = console.stdout()
        for name, value in [*view.forecast(found), ("folder", printable_path(self._folder))]:
            out.print(f"{name:<8} {value}", soft_wrap=True)

    def run(self, json: bool) -> int:
        """Run what is left; the exit status. Raises NegtempError, after saying how far it came."""
        with interruption.graceful_stop() as interrupted:
            store = sweeping.open_store(self._folder, self._engine, self._plan, self._shape)
            try:
                with store:
                    self._announce(store)
                    self._run(store, json, interrupted)
            except KeyboardInterrupt:
                self._err.print()
                self._say_how_far(store, "interrupted: ")
                return interruption.STATUS
            except BrokenPipeError:
                raise
            except (NegtempError, OSError):
                self._say_how_far(store)
                raise
        return self._end(json)

    def _announce(self, store: Store) -> None:
        finished = f", {store.saved:,} of them finished" if store.saved else ""
        parts = [f"{len(self._plan):,} units{finished}", f"{self._shape.slots} at once", printable_path(self._folder)]
        self._err.print(console.title(self._header, " · ".join(parts)), style="dim", soft_wrap=True)

    def _run(self, store: Store, json: bool, interrupted: Event) -> None:
        records = sweeping.resume(self._engine, self._plan, self._shape, store)
        units = self._units(records, json)
        for _ in progress.tracked(units, len(self._plan), "sweep", self._err, store.saved):
            if interrupted.is_set():
                raise KeyboardInterrupt

    def _units(self, records: Iterator[Record], json: bool) -> Iterator[Record]:
        """Finished units; under --json every record is printed as it passes, after the header."""
        sink = Sink((sys.stdout,) if json else ())
        sink.write(self._header)
        for record in sink.tee(records):
            if not isinstance(record, Step):
                yield record

    def _say_how_far(self, store: Store, begin: str = "") -> None:
        command = shell_command(["negtemp", *sys.argv[1:]], sys.stderr.encoding)
        saved = f"{store.saved:,} of {len(self._plan):,} units are saved in {printable_path(self._folder)}"
        self._err.print(f"{begin}{saved}; go on with:\n  {command}", soft_wrap=True)

    def _end(self, json: bool) -> int:
        """Draw the table and name what failed; the exit status."""
        failures: Counter[str] = Counter()

        def watched() -> Iterator[Record]:
            for record in reading.iterate(self._folder):
                if isinstance(record, Failure):
                    failures[with_flags(view.failure(record))] += 1
                yield record

        summaries = summarize(watched())
        if not json:
            out = console.stdout()
            for piece in view.by_beta(summaries, out):
                out.print(piece)
        for reason, count in failures.most_common(_REASONS_SHOWN):
            self._err.print(f"{count:,} units could not be generated: {reason}", soft_wrap=True)
        return _PARTIAL if failures else 0
