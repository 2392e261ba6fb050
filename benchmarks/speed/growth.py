"""How the cost grows: with the length of a sequence, with the vocabulary, and with the units of a sweep.

Length and units are measured on the bundled model, where negtemp's own cost shows most; the vocabulary on small random
shapes that differ in nothing else.
"""

import tempfile
from pathlib import Path
from typing import Any

import random_llama

from speed import programs, upstream
from speed.models import WORK, Workload
from speed.session import Session

LENGTHS = (64, 256, 1024)
VOCABULARIES = (2_000, 8_000, 32_000, 128_000)
SEEDS = (8, 32, 128)

_SHAPE = random_llama.Shape(width=512, layers=8, feed_forward=1376, heads=8, kv_heads=8)
_VOCABULARY_TOKENS = 64
_UNIT_TOKENS = 32
_TEMPERATURES = 2


def length(session: Session, workload: Workload) -> None:
    """One sequence of more and more tokens."""
    for tokens in LENGTHS:
        session.measure("length", workload, "negtemp", tokens, 0, session.negtemp, workload.path, 1, tokens)


def vocabulary(session: Session, workload: Workload) -> None:
    """One sequence over larger and larger vocabularies, with the shares of draw and statistics."""
    for tokens in VOCABULARIES:
        path = WORK / f"random-vocabulary-{tokens}.gguf"
        if not path.exists():
            random_llama.write(path, _SHAPE, tokens=tokens)
        job = path, 1, _VOCABULARY_TOKENS
        session.measure("vocabulary", workload, "negtemp", tokens, 0, session.negtemp, *job, timed=True)


def units(session: Session, workload: Workload) -> None:
    """`negtemp sweep` with more and more seeds at two temperatures: the whole command, its run directory and all."""
    for seeds in SEEDS:
        session.measure("units", workload, "negtemp sweep", seeds * _TEMPERATURES, 0, _sweep, session, workload, seeds)


def _sweep(session: Session, workload: Workload, seeds: int) -> dict[str, Any]:
    numbers = ",".join(map(str, range(1, seeds + 1)))
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        done = programs.run(
            [upstream.BIN / "negtemp", "sweep", "-m", workload.path, "--temps=-0.001,0.001", "--seeds", numbers,
             "-n", _UNIT_TOKENS, "-t", session.threads, "--ignore-eos", "-o", Path(folder) / "run"]
        )  # fmt: skip
    drawn = seeds * _TEMPERATURES * _UNIT_TOKENS
    return {"tokens_per_second": drawn / done.seconds, "seconds": done.seconds, "peak_mib": done.peak_mib}
