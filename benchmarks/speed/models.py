"""The models that speed is measured on, and how long a job on each is: a whole run stays within 15 minutes.

`tiny` is the bundled model, `1b` and `7b` are LLaMA shapes of random weights (`random_llama`), written where missing.
The real ones have the vocabularies that matter (49,152 to 262,144 tokens); `real_models.py` fetches them.
"""

from dataclasses import dataclass
from pathlib import Path

import random_llama
from real_models import FOLDER

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build/benchmarks"


@dataclass(frozen=True)
class Job:
    """Sequences that grow by `tokens` after a prompt of `prompt_tokens`, with one model file."""

    model: Path
    prompt_tokens: int
    tokens: int
    threads: int


@dataclass(frozen=True)
class Workload:
    """How much of a model is affordable: tokens of a lone and of a batched sequence, rounds, widths, naive runs, and
    units of a sweep.
    """

    name: str
    path: Path
    shape: str | None
    lone_tokens: int
    batched_tokens: int
    rounds: int
    widths: tuple[int, ...]
    naive_runs: int
    units: int

    def prepare(self) -> None:
        """Write the file where it is missing."""
        if self.shape and not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            random_llama.write(self.path, random_llama.SHAPES[self.shape])

    def quick(self) -> "Workload":
        """As little as still runs every line."""
        return Workload(self.name, self.path, self.shape, 8, 4, 1, self.widths[:2], 2, 2)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tiny", ROOT / "negtemp/data/tiny.gguf", None, 200, 100, 7, (2, 4, 8, 16, 32), 16, 256),
        Workload("1b", WORK / "random-1b.gguf", "1b", 64, 24, 5, (2, 4, 8, 16, 32), 16, 32),
        Workload("7b", WORK / "random-7b.gguf", "7b", 16, 8, 2, (2, 4, 16), 4, 16),
    )
}
REAL = {
    name: Workload(name, FOLDER / f"{name}.gguf", None, 128, 24, 9, (2, 16), 0, 0)
    for name in ("smollm2", "qwen", "gemma3")
}
