"""Which ranking to make the default: means of one to three indicators' ranks, judged on models not chosen on.

The shortfall of a ranking on a model is how far its AUC falls behind the best single indicator's there, for never-seen
or for rare tokens, whichever is worse; the best single one is picked with the truth in hand, model by model, so no
ranking can know it. A ranking is chosen by its greatest shortfall over the family. To see how well that choice carries
over, each configuration is left out in turn, the choice made on the rest, and its shortfall taken on the one left out.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.metrics import RARE, Array, Counts
from negtemp.theory.statistics import auc, ranks

MOST = 3

Names = tuple[str, ...]


class Choice(NamedTuple):
    """The ranking chosen without a configuration, and its greatest shortfall on it."""

    left_out: str
    names: Names
    shortfall: float


def combine(scores: Mapping[str, Array], names: Names) -> Array:
    """Mean of the ranks of these indicators, `[n]`, higher = more suspect; NaN ranks last."""
    return np.asarray(np.mean([ranks(np.nan_to_num(scores[name], nan=-np.inf)) for name in names], axis=0))


def candidates(names: Sequence[str]) -> list[Names]:
    """Every choice of one to three indicators."""
    return [chosen for size in range(1, MOST + 1) for chosen in combinations(names, size)]


def shortfalls(scores: Mapping[str, Array], counts: Counts, choices: Sequence[Names]) -> NDArray[np.float64]:
    """The shortfall of each choice on one model, `[choices]`."""
    ranked = {name: ranks(np.nan_to_num(values, nan=-np.inf)) for name, values in scores.items()}
    reached = np.array([_judged(combine(ranked, names), counts) for names in choices])
    single = [index for index, names in enumerate(choices) if len(names) == 1]
    return np.asarray((reached[single].max(axis=0) - reached).max(axis=1))


def _judged(score: Array, counts: Counts) -> tuple[float, float]:
    """AUC of never-seen and of rare tokens, as `metrics` has them."""
    seen = score[counts > RARE]
    return auc(score[counts == 0], seen), auc(score[(counts > 0) & (counts <= RARE)], seen)


def leave_one_out(table: NDArray[np.float64], configurations: Sequence[str], choices: Sequence[Names]) -> list[Choice]:
    """For shortfalls `[models, choices]`: what is chosen without each configuration, and how it does there."""
    labels, found = np.array(configurations), []
    for left_out in dict.fromkeys(configurations):
        inside = labels != left_out
        best = int(table[inside].max(axis=0).argmin())
        found.append(Choice(left_out, choices[best], float(table[~inside, best].max())))
    return found
