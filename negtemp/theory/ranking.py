"""From indicators to one score: how far a token stands from the tokens in use towards those known to be unused.

For each indicator `x` that takes part, with `k` its median over tokens in use and `u` its median over tokens known to
be unused,

    score_i = weighted mean over indicators of min(1, (x_i - k) / (u - k))

so 0 is a token like those in use, 1 one like the unused, whatever the units, and 0.5 a threshold that needs no share of
the vocabulary to be guessed. Which tokens are in use is found by the same measure (`in_use`), as in k-means. Where no
unused token is known, or an indicator does not tell the two apart, percentiles take the place of the above and the
score is a rank and no distance. What one indicator finds more suspect than the unused counts as they do: a common token
that no context happens to want may lie far beyond them by its mean probability.

The suspects, from 0.5 on, then get a second look (`regrouped`). Tokens that training never wanted share one history:
pushed down alike in every context. So mean, spread and higher moments of their logits over contexts, of which the
thermal indicators are made, stand in a fixed relation, and these points lie close together, while a token that was seen
once may have as low a mean logit and not the same relation. With `d` the Mahalanobis distance to the core, those of
lowest mean logit, and `n` the number of indicators, a suspect's score becomes

    1/2 + 1/2 / (1 + d²/n)

so 1 is the core, 3/4 a usual member of it. It leaves out verification.

The default weighs the mean logit, which sees what training pushed down everywhere, 1 to 2 against the mean probability
at beta = +1, which a single context that wants the token can lift. Over the models of benchmarks/audit the first alone
falls behind for rare tokens of a large vocabulary, the second alone lets seen tokens into the top of the list; together
they stay within 0.002 of the best single indicator's AUC (docs/thermal-indicator.md).

Source: ours; medians, because both sets are found automatically and may hold a few of the other kind. The distance:
Mahalanobis 1936.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from negtemp.theory.statistics import auc, percentiles

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

COMBINED: Mapping[str, float] = {"mean_logit": 1.0, "thermal_plus_1": 2.0}
THRESHOLD = 0.5
MOMENTS = ("mean_logit", "thermal_plus_1", "thermal_plus_half", "thermal_minus_half", "thermal_minus_1")

_MOST_ROUNDS = 50
_CORE_SHARE = 1 / 3
_OTHER = 3.0  # of 0.5 to 100 the one that keeps most of benchmarks/audit within 0.002 (docs/thermal-indicator.md)
_FEWEST_IN_CORE = 10 * len(MOMENTS)


def in_use(indicators: Mapping[str, Array], weights: Mapping[str, float], unused: Mask) -> Mask:
    """Tokens nearer to each other than to the unused ones, `[vocab]`: at first the quarter with the greatest mean
    probability at beta = +1, then all that score below the threshold, until that no longer changes.

    Without an unused token there is no such thing, and the half of greater probability is taken.
    """
    rarity = np.nan_to_num(indicators["thermal_plus_1"], nan=np.inf)
    known = bool(unused.any())
    used = np.asarray(rarity <= np.quantile(rarity, 0.25 if known else 0.5, method="lower"))
    for _ in range(_MOST_ROUNDS if known else 0):
        nearer = scores(indicators, weights, used, unused) < THRESHOLD
        if (nearer == used).all() or not nearer.any():
            break
        used = nearer
    return used


def structure(indicator: Array, used: Mask, unused: Mask) -> float:
    """Probability that an unused token scores higher than one in use; about 0.5 where weights mean nothing.

    NaN where either is empty.
    """
    finite = np.isfinite(indicator)
    return auc(indicator[unused & finite], indicator[used & ~unused & finite])


def scores(indicators: Mapping[str, Array], weights: Mapping[str, float], used: Mask, unused: Mask) -> Array:
    """The score of every token, `[vocab]`, by the weights of the indicators; NaN where one of these has none."""
    parts = [indicators[name] for name in weights]
    found = [value for part in parts if (value := scaled(part, used, unused)) is not None]
    chosen = [np.minimum(part, 1.0) for part in found] if len(found) == len(parts) else [share(part) for part in parts]
    return np.asarray(np.average(chosen, axis=0, weights=list(weights.values())))


def regrouped(score: Array, indicators: Mapping[str, Array], used: Mask, judged: Mask) -> Array:
    """The scores, `[vocab]`, with the suspects' by their distance from the core of the suspects, and the others' as
    they are.

    The core is the third of lowest mean logit among the suspects that are `judged`, `[vocab]`: rows that are unused by
    design may be copies of one another, and say nothing of how far apart others lie. Too small a core, or one
    without extent, changes nothing.
    """
    suspect, depth = score >= THRESHOLD, indicators["mean_logit"]
    core = suspect & judged
    if core.any():
        core &= depth >= np.quantile(depth[core], 1 - _CORE_SHARE)
    points = np.stack([indicators[name] for name in MOMENTS], axis=1)
    distances = _from_core(points, core, used & np.isfinite(points).all(axis=1))
    return score if distances is None else np.where(suspect, 0.5 + 0.5 / (1 + distances / len(MOMENTS)), score)


def _from_core(points: Array, core: Mask, used: Mask) -> Array | None:
    """Squared Mahalanobis distances of points `[n, m]` from the core's, `[n]`; None where these have no extent.

    What lies beyond the core, seen from tokens in use, is as suspect as the core.
    """
    if core.sum() < _FEWEST_IN_CORE or not used.any() or not (extent := points[core].std(axis=0)).all():
        return None
    centred = (points - points[core].mean(axis=0)) / extent
    try:
        white = np.linalg.solve(np.linalg.cholesky(np.cov(centred[core].T)), centred.T).T
    except np.linalg.LinAlgError:
        return None
    outwards = -white[used].mean(axis=0)
    outwards /= np.linalg.norm(outwards)
    beyond = np.maximum(white @ outwards, 0)
    return np.asarray(((white - np.outer(beyond, outwards)) ** 2).sum(axis=1))


def has_scale(indicators: Mapping[str, Array], weights: Mapping[str, float], used: Mask, unused: Mask) -> bool:
    """Whether scores are distances; else they are ranks."""
    return all(scaled(indicators[name], used, unused) is not None for name in weights)


def scaled(values: Array, used: Mask, unused: Mask) -> Array | None:
    """(x - k) / (u - k), `[vocab]`; None where there is no such scale."""
    finite = np.isfinite(values)
    use, known = finite & used & ~unused, finite & unused
    if not use.any() or not known.any():
        return None
    low, high = float(np.median(values[use])), float(np.median(values[known]))
    return (values - low) / (high - low) if math.isfinite(high - low) and high > low else None


def share(values: Array) -> Array:
    """The percentile of each finite value as a share, `[vocab]`; NaN for the others."""
    finite = np.isfinite(values)
    found = np.full(len(values), np.nan)
    found[finite] = percentiles(values[finite]) / 100.0
    return found


def dealt_anew(score: Array, other: Array, suspect: Mask) -> Array:
    """The scores, `[vocab]`, dealt out anew among the suspects and among the others, in the order of both rankings: of
    the mean percentile, 1 to 3, the greater weight for `other`. Who is suspect stays.

    >>> dealt_anew(np.array([0.9, 0.8, 0.1]), np.array([1.0, 5.0, 9.0]), np.array([True, True, False])).tolist()
    [0.8, 0.9, 0.1]
    """
    found = score.copy()
    for group in (suspect, ~suspect):
        ids = np.flatnonzero(group & np.isfinite(score) & np.isfinite(other))
        both = share(score[ids]) + _OTHER * share(other[ids])
        found[ids[np.argsort(both, kind="stable")]] = np.sort(score[ids])
    return found


def order(score: Array) -> NDArray[np.int64]:
    """Token ids from the most suspect on, `[vocab]`; equal scores by id, those without a score last."""
    return np.asarray(np.argsort(np.where(np.isnan(score), np.inf, -score), kind="stable"))
