"""What shards and workers bring and cost: one sweep by one process, saved, by two workers and by a Ray actor.

    python benchmarks/workers.py [--units 24] [--tokens 16]

Each computes with one thread; a run that is saved is what a shard is. The model is the 1.1B shape of random weights
(`random_llama`), written where it is missing. A rate is units per second from the first record to the last, so that
loading the model, which each does once, does not count. Rounds go in turn, and the median counts. It leaves out GPUs,
and machines that are not this one.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import random_llama
from speed.models import WORK

import negtemp

WAYS: dict[str, dict[str, Any]] = {
    "one process": {},
    "one process, saved": {"output": "run"},
    "two workers": {"workers": 2},
    "one Ray actor": {"executor": "ray", "workers": 1},
}


def rate(records: Iterator[object]) -> float:
    """Records a second, from the first to the last."""
    times = [time.perf_counter() for _ in records]
    return (len(times) - 1) / (times[-1] - times[0])


def swept(model: negtemp.LoadedModel, asked: argparse.Namespace, how: dict[str, Any]) -> Iterator[object]:
    """The records of the sweep, one sequence at a time."""
    return model.sweep(
        betas=(-1000.0,), repeats=asked.units, n_predict=asked.tokens, ignore_eos=True, parallel=1, **how
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    path = WORK / "random-1b.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random_llama.write(path, random_llama.SHAPES["1b"])
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with negtemp.load(path, threads=1, n_gpu_layers=0) as model:
        for _ in range(asked.rounds):
            for way, how in WAYS.items():
                with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                    rates[way].append(rate(swept(model, asked, how)))
    alone = statistics.median(rates["one process"])
    print("| where | units/s, median | of one process | rounds |\n| --- | --- | --- | --- |")
    for way, found in rates.items():
        middle = statistics.median(found)
        print(f"| {way} | {middle:.3f} | {middle / alone:.3f} | {', '.join(f'{one:.3f}' for one in found)} |")


if __name__ == "__main__":
    main()
