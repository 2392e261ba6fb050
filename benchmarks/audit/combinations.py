"""Which ranking to make the default: means of one to three indicators, judged on models not chosen on.

Indicators are put on one scale as the audit does (`theory.ranking`: 0 the median in use, 1 the median of tokens known
to be unused) and averaged with equal weights. The shortfall of a ranking on a file is how far its AUC falls behind the
best single indicator's there, for never-seen or for rare tokens, whichever is worse; the best single one is picked with
the truth in hand, file by file, so no ranking can know it. A ranking is chosen by its greatest shortfall over the
family. To see how well such a choice carries over, each configuration is left out in turn, the choice made on the rest,
and its shortfall taken on the one left out. The audit's own ranking (`score`) is judged beside them and never chosen.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.metrics import RARE, Array, Counts
from negtemp.theory.statistics import auc

Names = tuple[str, ...]

MOST = 3
SCORE = "score"


class Choice(NamedTuple):
    """The ranking chosen without a configuration, and its greatest shortfall on it."""

    left_out: str
    names: Names
    shortfall: float


def candidates(names: Sequence[str]) -> list[Names]:
    """Every choice of one to three indicators, and the audit's own ranking last."""
    indicators = [name for name in names if name != SCORE]
    return [chosen for size in range(1, MOST + 1) for chosen in combinations(indicators, size)] + [(SCORE,)]


def shortfalls(scaled: Mapping[str, Array], counts: Counts, choices: Sequence[Names]) -> NDArray[np.float64]:
    """The shortfall of each choice on one file, `[choices]`, from scores `[n]` on one scale and true counts `[n]`."""
    reached = np.array([_aucs(np.mean([scaled[name] for name in names], axis=0), counts) for names in choices])
    single = [index for index, names in enumerate(choices) if len(names) == 1 and names != (SCORE,)]
    return np.asarray((reached[single].max(axis=0) - reached).max(axis=1))


def _aucs(score: Array, counts: Counts) -> tuple[float, float]:
    """AUC of never-seen and of rare tokens, as `metrics` has them."""
    seen = score[counts > RARE]
    return auc(score[counts == 0], seen), auc(score[(counts > 0) & (counts <= RARE)], seen)


def leave_one_out(table: NDArray[np.float64], configurations: Sequence[str], choices: Sequence[Names]) -> list[Choice]:
    """For shortfalls `[files, choices]`: what is chosen without each configuration, and how it does there."""
    labels, found = np.array(configurations), []
    allowed = [index for index, names in enumerate(choices) if names != (SCORE,)]
    for left_out in dict.fromkeys(configurations):
        inside = labels != left_out
        best = allowed[int(table[inside][:, allowed].max(axis=0).argmin())]
        found.append(Choice(left_out, choices[best], float(table[~inside, best].max())))
    return found
