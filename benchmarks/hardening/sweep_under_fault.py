"""One sweep that can be held at any unit, harmed and begun again, and whether every unit is in its folder exactly once.

A sweep is stopped by SIGSTOP as soon as so many units are on the disk; what is done to it then happens between two of
its instructions. Its records are read with `json` alone, not by negtemp's own reader.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hardening import forked

UNITS, AT_ONCE = 30, 4
_SWEEP = ("-t", "1", "--betas=-1,0,1", "--repeats", "10", "-p", "aa", "-n", "12", "--ignore-eos", "-o", "run")
# differs from one drawing of a unit to the next
_TIMED = "tokens_per_second"
_LIMIT_SECONDS = 600


class Wrong(Exception):
    """What was not as it should be, as one line."""


@dataclass
class Ending:
    """How one sitting ended: its exit status, negative for a signal, and what it wrote to standard error."""

    status: int
    said: str

    def must_be(self, *statuses: int, saying: str = "") -> None:
        """Raises Wrong for another status, a traceback, or a failure that is not told in one line with these words."""
        shown = self.said.strip()[-3000:]
        if self.status not in statuses:
            raise Wrong(f"status {self.status}, not {' or '.join(map(str, statuses))}: {shown}")
        if "Traceback" in self.said:
            raise Wrong(f"a traceback: {shown}")
        lines = [line for line in self.said.splitlines() if line.startswith("negtemp: ")]
        if self.status == 1 and len(lines) != 1:
            raise Wrong(f"{len(lines)} lines of reason: {shown}")
        if saying not in self.said:
            raise Wrong(f"{saying!r} is not said: {shown}")


@dataclass
class Sitting:
    """A sweep at work."""

    process: int
    records: Path
    said: Path

    def hold(self, units: int) -> int:
        """Stop it once so many units are on the disk; how many there are then. Raises Wrong where it ends before."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while not self._began() or _lines(self.records) < units:
            if os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                raise Wrong(f"it ended before {units} units: {self.said.read_text()[-3000:]}")
            if time.monotonic() > deadline:
                raise Wrong(f"no {units} units after {_LIMIT_SECONDS} s")
            time.sleep(0.0005)
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return _lines(self.records)

    def _began(self) -> bool:
        """Whether it has its folder, which it says first."""
        return self.said.exists() and self.said.stat().st_size > 0

    def send(self, number: int) -> None:
        os.kill(self.process, number)

    def go_on(self) -> "Ending":
        """Let it run to its end."""
        self.send(signal.SIGCONT)
        return self.end()

    def end(self) -> Ending:
        _, status = os.waitpid(self.process, 0)
        return Ending(os.waitstatus_to_exitcode(status), self.said.read_text(encoding="utf-8"))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


@dataclass
class Ground:
    """A folder with a sweep's run directory in it, the command that fills that, and what should be in it in the end."""

    folder: Path
    model: Path
    # one sequence at a time gives the same records to the last bit
    deterministic: bool
    expected: dict[str, Any] = field(default_factory=dict)
    stopped_seconds: float = 0.5
    started: list[Sitting] = field(default_factory=list)

    @property
    def sittings(self) -> int:
        return len(self.started)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def records(self) -> Path:
        return self.run / "records.jsonl"

    def start(self, before: Callable[[], None] = lambda: None) -> Sitting:
        """The command, once more; `before` is done in its process first."""
        mode = ["--deterministic"] if self.deterministic else ["-np", str(AT_ONCE)]
        # what it writes goes beside the folder, which may be full or read-only
        said = f"{self.folder}.{self.sittings}."
        process = forked.start(["sweep", "-m", str(self.model), *_SWEEP, *mode], self.folder, before, said)
        self.started.append(Sitting(process, self.records, Path(f"{said}stderr")))
        return self.started[-1]

    def close(self) -> None:
        """End what a case that went wrong has left at work, or stopped."""
        for sitting in self.started:
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_PID, sitting.process, os.WEXITED | os.WNOHANG) is None:
                    sitting.send(signal.SIGKILL)
                    os.waitpid(sitting.process, 0)

    def finish(self) -> None:
        """Give the command again, undisturbed. Raises Wrong unless every unit is there once, and as it should be."""
        self.start().end().must_be(0)
        found = self.units()
        if found.keys() != self.expected.keys():
            raise Wrong(f"{len(found.keys() ^ self.expected.keys())} units too few or of another sweep")
        other = sum(found[unit] != self.expected[unit] for unit in found) if self.deterministic else 0
        if other:
            raise Wrong(f"{other} units are not what an undisturbed sweep draws")

    def units(self) -> dict[str, Any]:
        """The units in the folder by key, without what is timed. Raises Wrong for one that is there twice."""
        units: dict[str, Any] = {}
        for line in self.records.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            record.pop(_TIMED)
            if units.setdefault(record["unit"], record) is not record:
                raise Wrong(f"unit {record['unit']} is there twice")
        if json.loads((self.run / "manifest.json").read_text())["units"] != UNITS:
            raise Wrong("the manifest is of another sweep")
        return units
