"""How far the figures of real models move from one draw of contexts to another.

    python benchmarks/real_spread.py [--seeds 3] [MODEL ...]      default: the three of real_models.py

One row a model, each figure for every seed: members of the level; suspects; of the tokens that the file names unused,
how many are suspect with their names known, and hidden, and the AUC of the score there; how many of the published
tokens of Qwen's vocabulary are in the top 2 % of ordinary ones; and how much of the first 100 and of all suspects two
seeds share. Contexts drawn at T = 1 fork at the last bit, so another processor is another seed.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_models import FOLDER

from negtemp.experiments.indicators import Survey, survey
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.theory.ranking import THRESHOLD
from negtemp.theory.statistics import auc

# Land & Bartolo 2024, of the 7B sibling of Qwen2.5-Coder-0.5B
PUBLISHED = (
    78783, 79269, 79270, 83969, 83971, 142386, 97000, 136954, 78323, 88372, 142494, 88371, 138175, 122290, 122474,
    127734, 151293, 122223, 122578, 117332, 150820, 151291, 122385, 128200, 150803, 133741, 151297, 138112, 149414,
    123306, 149413, 57408, 151294,
)  # fmt: skip
FIRST, TOP = 100, 0.02


def main() -> None:
    """Print a block for each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for path in given.models or [FOLDER / f"{name}.gguf" for name in ("smollm2", "qwen", "gemma3")]:
        spread(path, range(1, given.seeds + 1))


def spread(path: Path, seeds: range) -> None:
    """The figures of one model, a line each."""
    loaded = library.load()
    rows: dict[str, list[str]] = {}
    suspects, firsts = [], []
    with Model(loaded, path) as model, Weights(loaded, path) as weights:
        categories = np.array(token_categories(model.vocabulary))
        for seed in seeds:
            found = survey(Engine(model, 1), weights, list(categories), seed=seed)
            named = (categories == "unused").any()
            hidden = survey(Engine(model, 1), weights, list(categories), seed=seed, blind=True) if named else None
            for name, value in figures(found, hidden, categories, path.stem == "qwen").items():
                rows.setdefault(name, []).append(value)
            suspects.append(set(np.flatnonzero(found.score >= THRESHOLD).tolist()))
            firsts.append(set(np.argsort(-found.score)[:FIRST].tolist()))
    rows["shared of the first 100"] = shares(firsts)
    rows["shared of all suspects"] = shares(suspects)
    for name, values in rows.items():
        print(f"{path.stem} | {name} | {'; '.join(values)}", flush=True)


def figures(found: Survey, hidden: Survey | None, categories: NDArray[np.str_], published: bool) -> dict[str, str]:
    """One seed's figures as text."""
    ordinary, unused = categories == "normal", categories == "unused"
    members = 0 if found.level is None else int(found.level.members.sum())
    made = {"level": f"{members:,}", "suspects": f"{(found.score >= THRESHOLD).sum():,}"}
    for name, one in (("names known", found), ("names hidden", hidden)):
        if one is not None and unused.any():
            listed = int((one.score[unused] >= THRESHOLD).sum())
            made[f"unused, {name}"] = (
                f"{listed:,} of {unused.sum():,}, AUC {auc(one.score[unused], one.score[ordinary]):.4f}"
            )
    if published:
        bound = np.quantile(found.score[ordinary], 1 - TOP)
        made["published in the top 2 %"] = f"{(found.score[list(PUBLISHED)] >= bound).sum()} of {len(PUBLISHED)}"
    return made


def shares(sets: list[set[int]]) -> list[str]:
    """The intersection over the union of each two."""
    return [f"{len(a & b) / max(len(a | b), 1):.2f}" for a, b in itertools.combinations(sets, 2)]


if __name__ == "__main__":
    main()
