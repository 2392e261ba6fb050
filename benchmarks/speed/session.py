"""One run of the benchmark: it measures what is not measured yet, tells of each row, and runs negtemp's own side."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speed import programs
from speed.models import Workload
from speed.rows import Row, Rows

WORKER = Path(__file__).with_name("worker.py")


class Session:
    """Where rows go, how many threads every side gets, and who is told."""

    def __init__(self, rows: Rows, threads: int, say: Callable[[str], None]) -> None:
        self.rows, self.threads, self._say = rows, threads, say

    def measure(
        self, part: str, workload: Workload, program: str, size: int, turn: int,
        by: Callable[..., Mapping[str, Any]], *arguments: Any, **options: Any,
    ) -> Row:  # fmt: skip
        """The row of what `by` measures when called with the arguments, and a line about it."""
        started = time.perf_counter()
        key = part, workload.name, program, size, turn
        row = self.rows.measure(key, lambda: by(*arguments, **options))
        figure = f"{row.tokens_per_second:.1f} tokens/s" if row.tokens_per_second else f"{row.seconds or 0:.2f} s"
        took = time.perf_counter() - started
        self._say(f"{part} {workload.name}, {program}, {size}: {row.problem or figure} (took {took:.1f} s)")
        return row

    def negtemp(self, model: Path, sequences: int, tokens: int, **options: Any) -> dict[str, Any]:
        """A job by negtemp's Python API, in a process of its own; options are the worker's. Raises ChildError."""
        job = {"model": str(model), "sequences": sequences, "tokens": tokens, "threads": self.threads, **options}
        done = programs.run([sys.executable, WORKER, json.dumps(job)])
        more = json.loads(done.output)
        speed = more.pop("tokens_per_second")
        return {"tokens_per_second": speed, "seconds": done.seconds, "peak_mib": done.peak_mib, "more": more}
