"""How sure is a figure? AUC, precision and recall, permutation p-values, intervals, rank correlation; pure numpy.

Everything random takes a seed and gives the same answer again. Intervals are 95 % unless told otherwise. It leaves out
models of the data: each function is a textbook non-parametric one.

Sources: Mann & Whitney 1947 (AUC as a rank sum), Hanley & McNeil 1982 (AUC as a probability), van Rijsbergen 1979
(precision and recall), Wilson 1927, Efron 1979 (percentile bootstrap), Phipson & Smyth 2010 (a permutation p-value is
never 0), Spearman 1904.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Z_95 = 1.959963984540054
_RESAMPLES = 2000
_BLOCK = 1 << 22


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def ranks(values: ArrayLike) -> Array:
    """Ranks from 0, `[n]`; equal values share their mean rank.

    >>> ranks([10, 30, 20, 20]).tolist()
    [0.0, 3.0, 1.5, 1.5]
    """
    v = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(v, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2.0)[inverse])


def percentiles(values: ArrayLike) -> Array:
    """Each value's place among all, `[n]`: 0 the smallest, 100 the largest, equal values alike; 50 for one alone."""
    v = np.asarray(values, dtype=np.float64)
    return 100.0 * ranks(v) / (len(v) - 1) if len(v) > 1 else np.full(len(v), 50.0)


def auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """The probability that a value of `positive` `[n]` exceeds one of `negative` `[m]`, ties counting half.

    NaN where either is empty.

    >>> auc([3, 4], [1, 2, 3])
    0.9166666666666666
    """
    p, n = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    if not len(p) or not len(n):
        return math.nan
    rank_sum = ranks(np.concatenate([p, n]))[: len(p)].sum()
    return float((rank_sum - len(p) * (len(p) - 1) / 2.0) / (len(p) * len(n)))


def permutation_p(chosen: ArrayLike, population: ArrayLike, draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of the mean of `chosen` `[n]` against n values drawn without replacement from `population` `[N]`.

    NaN where either is empty.
    """
    c, values = np.asarray(chosen, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if not len(c) or not len(values):
        return math.nan
    rng = np.random.default_rng(seed)
    size, centre = min(len(c), len(values)), values.mean()
    observed = abs(c.mean() - centre) * (1 - 1e-12)
    means = np.array([rng.choice(values, size, replace=False).mean() for _ in range(draws)])
    return float((1 + np.count_nonzero(np.abs(means - centre) >= observed)) / (draws + 1))


def bootstrap(values: ArrayLike, seed: int = 0, level: float = 0.95, resamples: int = _RESAMPLES) -> Interval:
    """Percentile bootstrap interval of the mean of `[n]` values; (NaN, NaN) where there is none."""
    v = np.asarray(values, dtype=np.float64)
    if not len(v):
        return Interval(math.nan, math.nan)
    return _quantiles(_resampled_means(v, np.random.default_rng(seed), resamples), level)


def bootstrap_difference(
    first: ArrayLike, second: ArrayLike, seed: int = 0, level: float = 0.95, resamples: int = _RESAMPLES
) -> Interval:
    """Percentile bootstrap interval of mean(first) - mean(second), two independent samples `[n]` and `[m]`."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(a) or not len(b):
        return Interval(math.nan, math.nan)
    rng = np.random.default_rng(seed)
    return _quantiles(_resampled_means(a, rng, resamples) - _resampled_means(b, rng, resamples), level)


def _resampled_means(values: Array, rng: np.random.Generator, resamples: int) -> Array:
    """Means of `resamples` draws with replacement, in blocks so that memory stays small."""
    rows = max(1, min(resamples, _BLOCK // len(values)))
    blocks = [
        values[rng.integers(0, len(values), (min(rows, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(blocks)


def _quantiles(means: Array, level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def wilson(successes: float, trials: int, z: float = Z_95) -> Interval:
    """Wilson's score interval of a share; (0, 1) without a trial.

    >>> tuple(round(end, 3) for end in wilson(8, 10))
    (0.49, 0.943)
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    share, scale = successes / trials, 1 + z * z / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Rank correlation of two `[n]` arrays; NaN where one of them is constant."""
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else math.nan


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
