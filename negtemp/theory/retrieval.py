"""How well does a ranking, or a set of candidates, find what is known to be there? Precision and recall.

Source: van Rijsbergen, Information Retrieval (1979), chapter 7.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Retrieval(NamedTuple):
    """Precision: the share of the chosen that is right. Recall: the share of the right that was chosen. NaN of none."""

    precision: float
    recall: float


def retrieval(chosen: ArrayLike, right: ArrayLike) -> Retrieval:
    """Precision and recall of a choice `[n]` of booleans against the truth `[n]`.

    >>> retrieval([True, True, False, False], [True, False, True, False])
    Retrieval(precision=0.5, recall=0.5)
    """
    c, r = np.asarray(chosen, bool), np.asarray(right, bool)
    hits = int((c & r).sum())
    return Retrieval(_ratio(hits, int(c.sum())), _ratio(hits, int(r.sum())))


def recall_at_precision(scores: ArrayLike, right: ArrayLike, precision: float = 0.95) -> float:
    """The greatest recall of a cut through the ranking by `scores` `[n]`, highest first, that keeps this precision.

    Equal scores are taken together or not at all; a score of NaN comes last. 0 where no cut does, NaN where nothing is
    right.
    """
    s, r = np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf), np.asarray(right, bool)
    if not r.any():
        return math.nan
    order = np.argsort(-s, kind="stable")
    hits = np.cumsum(r[order])
    last = _last_of_equals(s[order])
    enough = last & (hits >= precision * np.arange(1, len(s) + 1))
    return float(hits[enough].max(initial=0) / r.sum())


def _last_of_equals(ordered: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.append(ordered[1:] != ordered[:-1], True)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
