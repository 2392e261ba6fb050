"""negtemp's Python API in a process of its own: one job from a line of JSON, its figures as a line of JSON.

    python benchmarks/speed/worker.py '{"model": FILE, "sequences": 16, "tokens": 24, "threads": 2}'

The sequences are at T = -0.001 and +0.001 in turn, or at those of `temperatures`, each with every statistic. Speed is
counted from the first token to the last, so a token is a decode, and two tokens are generated before anything counts,
as in llama.cpp's own benchmarks. With `timed`, draws with their statistics are timed inside the generation, right after
a decode has emptied the caches, which is what they cost. With `folder` the same sequences are a sweep into that run
directory, and what its records cost is timed.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import negtemp
from negtemp.experiments.generate import SequenceSpec, requests
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.engine import Drawer
from negtemp.records import Completion
from negtemp.runs.store import Store
from negtemp.theory.temperature import Temperature

_PROMPT_ROOM = 64
_WARM_UP = 2


class Stopwatch:
    """Seconds spent in some functions, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Time every call of `owner.function` under `name`, which others may share, from now on."""
        inner: Callable[..., Any] = getattr(owner, function)
        self.seconds.setdefault(name, 0.0)

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = inner(*arguments)
            self.seconds[name] += time.perf_counter() - started
            return result

        setattr(owner, function, timed)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The figures of one job."""
    stopwatch = Stopwatch()
    sequences, tokens = job["sequences"], job["tokens"]
    with negtemp.load(job["model"], threads=job["threads"]) as loaded:
        if job.get("timed"):
            stopwatch.watch(Drawer, "draw", "draw and statistics")
        given = job.get("temperatures", (-0.001, 0.001))
        temperatures = [Temperature.of(given[index % len(given)]) for index in range(sequences)]
        specs = [SequenceSpec(PROMPT, temperature, 1 + index // 2) for index, temperature in enumerate(temperatures)]
        # the first token comes of the prompt's decode, so one more is asked for
        settings = Settings(n_predict=tokens + 1, ignore_eos=True, ctx_size=tokens + _PROMPT_ROOM)
        plan = requests(loaded.engine.model, specs, settings)
        list(loaded.engine.generate([replace(request, n_predict=_WARM_UP) for request in plan]))
        started = time.perf_counter()
        done = [record for record in loaded.engine.generate(plan) if isinstance(record, Completion)]
        seconds = time.perf_counter() - started
    drawn = sequences * (tokens + 1)
    return {
        "prompt_token_ids": plan[0].prompt_token_ids, "seconds": seconds,
        "tokens_per_second": sum(completion.tokens_per_second or 0.0 for completion in done),
        "milliseconds": {name: spent * 1000 / drawn for name, spent in stopwatch.seconds.items()},
        "shares": {name: spent / seconds for name, spent in stopwatch.seconds.items()},
    }  # fmt: skip


def run_sweep(job: dict[str, Any]) -> dict[str, Any]:
    """The figures of a sweep, and the share that its run directory took of them; fsync runs behind, in a thread."""
    stopwatch = Stopwatch()
    for function in ("__init__", "save", "close"):
        stopwatch.watch(Store, function, "run directory")
    with negtemp.load(job["model"], threads=job["threads"]) as loaded:
        started = time.perf_counter()
        units = loaded.sweep(
            temperatures=(-0.001, 0.001), seeds=range(1, 1 + job["sequences"] // 2), output=job["folder"],
            n_predict=job["tokens"], ignore_eos=True, ctx_size=job["tokens"] + _PROMPT_ROOM,
        )  # fmt: skip
        count = sum(1 for _ in units)
        seconds = time.perf_counter() - started
    return {
        "tokens_per_second": count * job["tokens"] / seconds, "seconds": seconds,
        "shares": {name: spent / seconds for name, spent in stopwatch.seconds.items()},
    }  # fmt: skip


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    print(json.dumps(run_sweep(job) if "folder" in job else run(job)))
