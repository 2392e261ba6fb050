"""The level: where tokens that were never trained come to rest, found as tokens whose logits coincide in all contexts.

A token that is never a target is pushed down in every context, until its probability is so small that the optimiser
sees nothing more of it or weight decay holds it. There it stays, and so do all others like it: in a long training their
rows of the unembedding forget where they began and coincide, and their logits with them. A trained token lies away from
that level, on either side of it: lower wherever it does not fit, higher where it does. So what marks a token that was
never trained is not a low probability, but nearness to the level; a token that was hardly trained has not moved far.

    1. Seeds: tokens known to be unused, and tokens that share a cell of a fine grid over the first projections of the
       logit profiles with at least FEWEST - 1 others (`profiles`).
    2. A seed is a level where its FEWEST nearest tokens lie within TIGHT of the distance of the far tenth: trained
       tokens, months or names among them, do not come nearer to one another than about a fifth of it. Of several
       levels the one with most tokens known to be unused is taken, FEWEST at least; where none has so many, the one
       with most members, each counted by the log of how near they lie: in a model that hardly learned, the tokens in
       use nearly coincide too.
    3. Its members end at the radius where the density of log-distances is least between them and tokens in use.
    4. Tokens in use have a log-distance about normal around its mode; its spread is read right of the mode, where
       nothing else lies, from the median there, which no tail moves (Efron's empirical null). `false_share(t)` is how
       many of them lie nearer than `t` by that law, over how many tokens lie there. The threshold is the greatest `t`
       with a share of at most FALSE_SHARE.

Where no seed is a level there is none, and this says nothing. Models trained for a short time, or without weight decay,
still fall from different beginnings: what is found there lies loosely, and lowest of all (`is_a_fall`). Rows of zeros,
which converters add, coincide for a reason of their own and are no seeds. It leaves out which tokens are known to be
unused (`experiments`).

Sources: ours for the level; Efron 2004 (Large-scale simultaneous hypothesis testing: the choice of a null hypothesis)
for the null and the share of false entries; docs/level.md for how the level arises.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negtemp.theory.profiles import EACH, Profiles, distances

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST = 8
TIGHT = 0.05
LOOSE = 0.03  # of a usual distance; rows that coincide have a radius of 0.005 at most, in Q4_K_M of 0.025
FALSE_SHARE = 1 / 2000

_SEEDS, _CELLS = 32, 16
_GRID = (0.003, 0.01, 0.05)
_CELL_COORDINATES = 6
_FLOOR = 1e-3
_STEP, _BANDWIDTH = 0.05, 0.15
_ROUNDS = 20
_QUARTILE = 0.674490  # of the normal law: half of it lies nearer to the mode
_TINY = 1e-300
_LOWER = 1 / 1000
_BELOW_HALF = math.nextafter(0.5, 0)


@dataclass(frozen=True, slots=True)
class InUse:
    """The law of tokens in use: log-distance about normal, and how many there are."""

    mode: float
    spread: float
    tokens: float

    def below(self, distance: Array) -> Array:
        """How many of them are expected nearer than each distance, `[n]`."""
        with np.errstate(divide="ignore"):
            z = (np.log(distance) - self.mode) / (self.spread * math.sqrt(2))
        return self.tokens * np.array([math.erfc(-value) / 2 for value in z])


@dataclass(frozen=True, slots=True)
class Level:
    """One level, and how every token lies to it.

    distance     `[vocab]`, nats: root-mean-square over contexts of the difference of logits; NaN: not a number
    radius       members are nearer than this
    members      `[vocab]`
    by_group     how many members each group of contexts gives alone
    in_use       the law of the others
    threshold    distance up to which a token is suspect; at least the radius
    false_share  expected share of tokens in use among the suspect ones
    """

    distance: Array
    radius: float
    members: Mask
    by_group: tuple[int, ...]
    in_use: InUse
    threshold: float
    false_share: float

    @property
    def suspect(self) -> Mask:
        """Tokens up to the threshold, `[vocab]`."""
        return np.asarray(self.distance <= self.threshold)

    def is_a_fall(self, lowness: Array) -> bool:
        """Whether its tokens are still falling from where they began: they lie loosely, and below all but one in a
        thousand of the others, by minus the mean logits `[vocab]`. Then how low a token lies says as much as how near.
        """
        others = lowness[~self.suspect & np.isfinite(lowness)]
        if not len(others) or self.radius < LOOSE * math.exp(self.in_use.mode):
            return False
        return float((others > np.median(lowness[self.members])).mean()) <= _LOWER

    def scores(self, chord: Array | None = None) -> Array:
        """A score of every token `[vocab]` that falls with its distance d from the level.

            suspect    1 - d / (2 d_farthest)                                   1 at the level, 1/2 at the farthest
            others     (1 - ln(d / d_nearest) / ln(d_median / d_nearest)) / 2   below 1/2, 0 at their median

        d is the distance in logits. Where the rows of the members point the same way too it is the geometric mean of
        that and of `chord` `[vocab]`, the distance in direction; who is suspect is decided by logits alone.
        """
        nearness = self.distance
        if chord is not None and np.median(chord[self.members]) <= TIGHT * np.nanquantile(chord, 0.9):
            nearness = np.sqrt(self.distance * chord)
        suspect = self.suspect
        found = np.where(suspect, 1 - 0.5 * nearness / max(float(nearness[suspect].max()), _TINY), np.nan)
        others = ~suspect & np.isfinite(nearness)
        if others.any():
            beyond = np.log(np.maximum(nearness[others], _TINY))
            least, middle = float(beyond.min()), float(np.median(beyond))
            share = (beyond - least) / (middle - least if middle > least else 1.0)
            found[others] = np.minimum(0.5 * (1 - share), _BELOW_HALF)
        return found


def find(profiles: Profiles, known: Mask, eligible: Mask) -> Level | None:
    """The level of a vocabulary from its logit profiles `[vocab, projections]`; None where there is none.

    known      tokens known to be unused, `[vocab]`, the first seeds; may be empty
    eligible   tokens that may make a level, `[vocab]`: not those of zero rows, nor without a number
    """
    if eligible.sum() <= FEWEST:
        return None
    centre, most, seen = None, (0, 0.0), np.zeros(len(eligible), bool)
    for seed in _seeds(profiles, known & eligible, eligible):
        if not seen[seed] and (core := _core(profiles, seed, eligible)):
            seen |= core[1]
            held = int((core[1] & known).sum())
            weight = (held if held >= FEWEST else 0, core[2])
            if weight > most:
                centre, most = core[0], weight
    return None if centre is None else _level(profiles, centre, eligible)


def _seeds(profiles: Profiles, known: Mask, eligible: Mask) -> list[int]:
    """Ids worth a look: some of the known ones, and one of each of the fullest cells, tight ones only."""
    ids = np.flatnonzero(known)
    seeds = [int(i) for i in ids[np.unique(np.linspace(0, len(ids) - 1, _SEEDS).astype(int))]] if len(ids) else []
    places = np.flatnonzero(eligible)
    points = profiles[places]
    scale = float(np.quantile(np.abs(points - np.median(points, axis=0)), 0.9)) or 1.0
    for size, offset in itertools.product(_GRID, (0.0, 0.5)):  # a level on an edge of one grid is inside the other
        seeds += [int(places[i]) for i in _full_cells(points[:, :_CELL_COORDINATES] / (size * scale) + offset)]
    return list(dict.fromkeys(seeds))


def _full_cells(points: Profiles) -> NDArray[np.int64]:
    """The place of one point of each cell that holds FEWEST, the fullest first, `_CELLS` at most."""
    cells = np.floor(points).astype(np.int64)
    primes = np.array([73856093, 19349663, 83492791, 49979687, 86028121, 15485863], np.int64)[: cells.shape[1]]
    with np.errstate(over="ignore"):
        keys = (cells * primes).sum(axis=1)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CELLS]
    return np.asarray(first[order[counts[order] >= FEWEST]])


def _core(profiles: Profiles, seed: int, eligible: Mask) -> tuple[Array, Mask, float] | None:
    """The level around a seed: its centre `[projections]`, its members `[vocab]`, and its weight, their number times
    the log of how near they lie. None where it is none.
    """
    found = distances(profiles, profiles[seed])
    of_eligible = found[eligible]
    far = float(np.quantile(of_eligible, 0.9))
    if far == 0 or np.partition(of_eligible, FEWEST - 1)[FEWEST - 1] > TIGHT * far:  # 0: all alike, so nothing is apart
        return None
    radius = _radius(of_eligible)
    members = eligible & (found <= radius)
    centre = np.median(profiles[members], axis=0).astype(np.float64)
    return centre, members, float(members.sum()) * math.log(far / max(radius, _FLOOR * far))


def _level(profiles: Profiles, centre: Array, eligible: Mask) -> Level:
    distance = np.where(eligible, distances(profiles, centre), np.nan)
    of_eligible = distance[eligible]
    radius = _radius(of_eligible)
    members = eligible & (np.nan_to_num(distance, nan=np.inf) <= radius)
    in_use = _in_use(of_eligible[of_eligible > radius])
    threshold, share = _threshold(of_eligible, in_use, radius)
    return Level(distance, radius, members, _by_group(profiles, centre, eligible, radius), in_use, threshold, share)


def _by_group(profiles: Profiles, centre: Array, eligible: Mask, radius: float) -> tuple[int, ...]:
    """Members by the contexts of each group alone."""
    parts = [slice(start, start + EACH) for start in range(0, profiles.shape[1], EACH)]
    return tuple(int((distances(profiles[eligible, part], centre[part]) <= radius).sum()) for part in parts)


def _density(distance: Array) -> tuple[Array, Array]:
    """Log-distances on a grid and how many tokens lie there, smoothed by a normal kernel; what is nearer than the
    floor counts at the floor.
    """
    logs = np.log(np.maximum(distance, _FLOOR * np.quantile(distance, 0.9)))
    edges = np.arange(logs.min() - 4 * _BANDWIDTH, logs.max() + 4 * _BANDWIDTH + _STEP, _STEP)
    counts, _ = np.histogram(logs, edges)
    reach = round(3 * _BANDWIDTH / _STEP)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _STEP / _BANDWIDTH) ** 2)
    return edges[:-1] + _STEP / 2, np.convolve(counts, kernel / kernel.sum(), mode="same")


def _radius(distance: Array) -> float:
    """Where the density of log-distances is least between the level and tokens in use."""
    places, density = _density(distance)
    limit = math.log(TIGHT * float(np.quantile(distance, 0.9)))
    inner = places <= limit
    core = int(np.argmax(np.where(inner, density, -1)))
    outer = int(np.argmax(np.where(inner, -1, density)))
    valley = core + int(np.argmin(density[core : outer + 1]))
    return math.exp(places[valley])


def _in_use(distance: Array) -> InUse:
    """The mode of log-distance, the normal spread of the nearer half of those right of it, twice the tokens there."""
    places, density = _density(distance)
    mode, logs = float(places[density.argmax()]), np.log(distance)
    for _ in range(_ROUNDS):  # the mean shift: the peak of a flat density moves less than that of its histogram
        mode = float(logs[np.abs(logs - mode) <= _BANDWIDTH].mean())
    right = logs[logs >= mode] - mode
    return InUse(mode, max(float(np.median(right)) / _QUARTILE, _STEP / 2), 2.0 * len(right))


def _threshold(distance: Array, in_use: InUse, radius: float) -> tuple[float, float]:
    """The greatest distance, at least the radius, with a false share of at most FALSE_SHARE, and the share there."""
    nearest = np.sort(distance[distance <= math.exp(in_use.mode)])
    shares = in_use.below(nearest) / np.arange(1, len(nearest) + 1) if len(nearest) else np.zeros(0)
    pure = np.flatnonzero(shares <= FALSE_SHARE)
    threshold = max(radius, float(nearest[pure[-1]]) if len(pure) else 0.0)
    return threshold, float(in_use.below(np.array([threshold]))[0] / max((distance <= threshold).sum(), 1))
