"""What one step costs beside its decode, by vocabulary and rows: the draws and the statistics of all rows of a batch.

    python benchmarks/row_growth.py [--threads 2]

Logits are random with the spread of a trained model's (20 nats). The median of many steps counts, in milliseconds; in
brackets stands the time of one row on one core for 100,000 tokens, all threads taken as busy throughout. It leaves out
the decode, which evicts the caches: `generation.py` measures whole runs.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from negtemp.model import library
from negtemp.model.engine.request import Filters
from negtemp.model.engine.sampler import Chain, draw_all
from negtemp.model.library import Library
from negtemp.theory.temperature import Temperature

VOCABULARIES = (32_000, 64_000, 128_000, 262_144)
ROWS = (1, 4, 16, 64)
TEMPERATURES = (-0.001, 1.0)
_STEPS = 30
_DEVIATION = 2.5


def median_ms(run: Callable[[], object]) -> float:
    """The median time of a step, after one that warms up."""
    run()
    times = []
    for _ in range(_STEPS):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def step(built: Library, vocab: int, rows: int, temperature: float, threads: int) -> float:
    """Milliseconds that the draws and the statistics of `rows` rows of logits `[vocab]` take."""
    rng, at = np.random.default_rng(0), Temperature.of(temperature)
    logits = [rng.normal(0, _DEVIATION, vocab).astype(np.float32) for _ in range(rows)]
    with ExitStack() as stack:
        chains = [stack.enter_context(Chain(built, vocab, at, Filters(), seed)) for seed in range(rows)]
        return median_ms(lambda: draw_all(chains, logits, threads, observes=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    built = library.load()
    for temperature in TEMPERATURES:
        print(
            f"\n| T = {temperature:g} | {' | '.join(f'{rows} rows' for rows in ROWS)} |\n|{' --- |' * (len(ROWS) + 1)}"
        )
        for vocab in VOCABULARIES:
            cells = []
            for rows in ROWS:
                took = step(built, vocab, rows, temperature, threads)
                cells.append(f"{took:.2f} ({took * threads / rows / vocab * 100_000:.3f})")
            print(f"| {vocab:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
