"""How well the audit ranks the tokens of models whose every count is known, beside the best single indicator.

    python benchmarks/known_counts.py MODEL.gguf ...     with NAME.json, NAME.truth.json or NAME.counts.json beside each

One row a file: tokens never seen; members of the level, and how many of them were never seen; suspects by how often
they were seen (never, 1 to 5 times, more often); AUC of the never seen and of those seen 1 to 5 times against the
others, by the score and by the best single indicator, which is picked with the truth in hand; recall of the never seen
at 95 % precision. It times nothing. The models come from `audit_family.py`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from audit.metrics import figures
from numpy.typing import NDArray

from negtemp.experiments.indicators import Survey, survey
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.theory.ranking import THRESHOLD

_COLUMNS = (
    "model", "never seen", "level (of it never seen)", "suspects: never, 1-5, more", "AUC never", "best single",
    "AUC 1-5", "best single", "recall at 95 %",
)  # fmt: skip
_RARE = 5


def main() -> None:
    """A table row for each model named."""
    print("| " + " | ".join(_COLUMNS) + " |\n" + "| --- " * len(_COLUMNS) + "|")
    for path in map(Path, sys.argv[1:]):
        print(row(path), flush=True)


def row(path: Path) -> str:
    """One model's figures."""
    loaded = library.load()
    with Model(loaded, path) as model, Weights(loaded, path) as weights:
        found = survey(Engine(model, 1), weights, token_categories(model.vocabulary))
        counts = read_counts(path, model.vocabulary.size)
    return "| " + " | ".join([path.stem, *_cells(found, counts)]) + " |"


def _cells(found: Survey, counts: NDArray[np.int64]) -> list[str]:
    ours = figures(found.score, counts)
    single = [figures(values, counts) for values in found.indicators.values()]
    suspect, never, rare = found.score >= THRESHOLD, counts == 0, (counts > 0) & (counts <= _RARE)
    members = np.zeros(len(counts), bool) if found.level is None else found.level.members
    parts = [int((suspect & band).sum()) for band in (never, rare, ~never & ~rare)]
    return [
        f"{never.sum():,}", f"{members.sum():,} ({(members & never).sum():,})", ", ".join(f"{n:,}" for n in parts),
        f"{ours['auc_never']:.4f}", f"{max(one['auc_never'] for one in single):.4f}",
        f"{ours['auc_rare']:.4f}", f"{max(one['auc_rare'] for one in single):.4f}", f"{ours['recall_95']:.3f}",
    ]  # fmt: skip


def read_counts(path: Path, vocab: int) -> NDArray[np.int64]:
    """How often each token was seen in training, `[vocab]`; tokens beyond the list never."""
    name = path.name.removesuffix(".gguf")
    plain = name.removesuffix(".F32").removesuffix(".F16").removesuffix(".Q8_0").removesuffix(".Q4_0")
    kinds = ("json", "truth.json", "counts.json")
    beside = next(file for kind in kinds if (file := path.with_name(f"{plain}.{kind}")).exists())
    known = json.loads(beside.read_text(encoding="utf-8"))["counts"]
    return np.array([*known, *[0] * (vocab - len(known))], np.int64)[:vocab]


if __name__ == "__main__":
    main()
