"""How well a score finds the tokens that were never, or hardly ever, seen: figures from scores and true counts.

    auc_never, auc_rare         AUC of tokens seen 0, and 1 to 5 times, against those seen at least 6 times
    auc_some                    AUC of tokens seen 6 to 50 times against those seen more often
    precision_100               share of never-seen tokens among the 100 most suspect
    precision_2pc, recall_2pc   the same, and the share of all never-seen tokens found, in the most suspect 2 %: the
                                fixed share that Magikarp verifies
    recall_95                   share of never-seen tokens found in the longest list of which 95 % are never-seen
    recall_95_rare              the same of tokens seen at most 5 times

Ties count as their expectation over a random order. A token without a score (NaN) ranks last. Which tokens take part is
the caller's choice. Sources: Hanley & McNeil 1982 for the AUC (`theory.statistics`); Land & Bartolo for the 2 %.
"""

import math

import numpy as np
from numpy.typing import NDArray

from negtemp.theory.statistics import auc

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

RARE, SOME = 5, 50
SHARE, PRECISION, TOP = 0.02, 0.95, 100

NAMES = (
    "auc_never", "auc_rare", "auc_some", "precision_100", "precision_2pc", "recall_2pc", "recall_95", "recall_95_rare",
)  # fmt: skip


def figures(scores: Array, counts: Counts) -> dict[str, float]:
    """All figures by name for `[n]` scores, higher = more suspect, and true counts `[n]`; NaN where a band is empty."""
    s = np.where(np.isnan(scores), -np.inf, scores)
    never, rare = counts == 0, (counts > 0) & (counts <= RARE)
    some, seen = (counts > RARE) & (counts <= SOME), counts > RARE
    top = math.ceil(SHARE * len(s))
    found = found_by_rank(s, never)
    return {
        "auc_never": auc(s[never], s[seen]),
        "auc_rare": auc(s[rare], s[seen]),
        "auc_some": auc(s[some], s[counts > SOME]),
        "precision_100": float(found[min(TOP, len(s)) - 1] / min(TOP, len(s))),
        "precision_2pc": float(found[top - 1] / top),
        "recall_2pc": _share(float(found[top - 1]), int(never.sum())),
        "recall_95": recall_at_precision(s, never),
        "recall_95_rare": recall_at_precision(s, never | rare),
    }


def found_by_rank(scores: Array, wanted: NDArray[np.bool_]) -> Array:
    """How many wanted tokens are among the k most suspect, `[n]` for k = 1 to n; the expectation where scores tie.

    >>> found_by_rank(np.array([3.0, 2.0, 2.0]), np.array([False, True, False])).tolist()
    [0.0, 0.5, 1.0]
    """
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    wanted_in = np.bincount(group, weights=wanted, minlength=len(sizes))
    return np.asarray(np.cumsum(np.repeat(wanted_in / sizes, sizes)))


def recall_at_precision(scores: Array, wanted: NDArray[np.bool_], precision: float = PRECISION) -> float:
    """The share of wanted tokens in the longest list of most suspect ones that is at least so pure; 0 if none is."""
    found = found_by_rank(scores, wanted)
    pure = np.flatnonzero(found >= precision * np.arange(1, len(found) + 1) - 1e-9)
    return _share(float(found[pure[-1]]) if len(pure) else 0.0, int(wanted.sum()))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan
