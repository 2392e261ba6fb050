"""A part of a sweep for one of several machines: which units it takes, and the run directory that it alone writes.

Shard i of n takes every n-th unit, so that shards of any plan take about as long as one another. Each has a run
directory of its own, `shard-i-of-n` in the sweep's folder: appends of two machines to one file are not atomic on
network file systems. `merging` puts them together. A shard of a Slurm array is that of its task: the job
`--array=0-7` and the job `--array=1-8` both have eight.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import UsageError
from negtemp.printable import printable_text

SLURM = "slurm"


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `of` shards, counted from 1. Raises UsageError where there is no such one."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(f"there is no shard {self}; give i/n with i from 1 to n, such as 2/4")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def of_text(cls, text: str, environment: Mapping[str, str]) -> "Shard":
        """`2/4`, or `slurm` for what the environment of an array's task says. Raises UsageError."""
        if text == SLURM:
            return _of_slurm(environment)
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip(), re.ASCII)
        if not found:
            shown = printable_text(text, keep=" ")
            raise UsageError(f"a shard is i/n, such as 2/4, or {SLURM}, not {shown!r}")
        return cls(int(found[1]), int(found[2]))

    def count(self, units: int) -> int:
        """How many of so many units it takes."""
        return len(range(self.number - 1, units, self.of))

    def folder(self, sweep: Path) -> Path:
        """Its run directory in the sweep's folder; of the one shard that is the whole, that folder."""
        return sweep / f"shard-{self.number}-of-{self.of}" if self.of > 1 else sweep


WHOLE = Shard(1, 1)


def _of_slurm(environment: Mapping[str, str]) -> Shard:
    """The shard of an array's task, counted from the array's first index in its own steps."""
    try:
        task, first, count = (
            int(environment[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "MIN", "COUNT")
        )  # fmt: skip
        last = int(environment.get("SLURM_ARRAY_TASK_MAX", first + count - 1))
        step = int(environment.get("SLURM_ARRAY_TASK_STEP", 1))
    except KeyError as missing:
        raise UsageError(f"`{SLURM}` is for a task of a Slurm array, and ${missing.args[0]} is not set") from None
    except ValueError as error:
        raise UsageError(f"what Slurm says of this array's task cannot be read: {error}") from None
    if last != first + (count - 1) * step:
        raise UsageError(
            f"this array's indices, {count} from {first} to {last}, are not evenly spaced; give i/n instead"
        )
    return Shard((task - first) // step + 1, count)
