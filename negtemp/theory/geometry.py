"""Where the rows of a matrix lie around their centroid, and the directions along which they vary most.

For rows `e_i` and their mean `mu`: distance `|e_i - mu|`, norm `|e_i|`, cosine `e_i·mu / (|e_i| |mu|)`. A percentile
of 0 is the row nearest to the centroid, 100 the farthest. Why it matters: a logit is `u_i·h`, so a row at the centroid
of the *unembedding* has the mean logit and can never be the least likely; only the embedding's is free to attract.

A matrix comes in blocks of float32 rows: first their sums, added up in float64, then each block against the centroid.
The differences are taken row by row and squared afterwards; `|e|² - 2 e·mu + |mu|²` would lose near rows to rounding.
Rows that are not finite count for nothing and have NaN everywhere.

The first principal components are the eigenvectors of the covariance `C = mean((e_i - mu)(e_i - mu)^T)` with the
largest eigenvalues, which are the variances along them. All that is needed of C is its product with a few directions,
one pass over the rows: subspace iteration with a Rayleigh-Ritz step applies C to some directions, makes them
orthogonal, and takes the best within their span, until the variances stand still. It leaves out where the blocks come
from (`model`).

Sources: Rumbelow & Watkins, SolidGoldMagikarp (2023), for the distance and the observation that most tokens lie in a
thin shell around the centroid; Halko, Martinsson & Tropp, Finding structure with randomness (SIAM Review 53, 2011),
algorithm 4.4, and Golub & Van Loan, Matrix Computations, section 8.2, for the components.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negtemp.theory.statistics import percentiles

Array = NDArray[np.float64]
Rows = NDArray[np.float32]
Part = tuple[Rows, Rows, Rows]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


_SPARE = 6  # directions besides those wanted: the more, the fewer passes
_MOST_PASSES = 30
_STILL = 1e-4


@dataclass(frozen=True)
class Geometry:
    """Every row against the centroid `[dim]` of all finite rows; the arrays are `[rows]`."""

    centroid: Array
    distances: Array
    norms: Array
    cosines: Array
    percentiles: Array

    @property
    def rows(self) -> int:
        return len(self.distances)


@dataclass(frozen=True, slots=True)
class Shell:
    """The distances of `[rows]` in figures: mean, standard deviation, and the quantiles of QUANTILES."""

    mean: float
    deviation: float
    quantiles: tuple[float, ...]

    @property
    def thickness(self) -> float:
        """Deviation over mean: 0 for a shell without thickness. NaN where the mean is 0."""
        return self.deviation / self.mean if self.mean else float("nan")


def block_sum(block: Rows) -> tuple[Array, int]:
    """(sum of the finite rows `[dim]`, how many they are) of one block `[n, dim]` of some hundred rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = block.sum(axis=0)
    if np.isfinite(total).all():
        return total.astype(np.float64), len(block)
    finite = block[np.isfinite(block).all(axis=1)]
    return finite.sum(axis=0, dtype=np.float64), len(finite)


def mean(sums: Iterable[tuple[Array, int]]) -> Array:
    """The centroid `[dim]` of the blocks that `block_sum` has seen; NaN where no row is finite."""
    totals, counts = zip(*sums, strict=True)
    count = sum(counts)
    return np.asarray(np.sum(totals, axis=0) / count) if count else np.full_like(totals[0], np.nan)


def block_part(block: Rows, centroid: Rows) -> Part:
    """(distances, norms, products with the centroid), each `[n]`, of one block, which is left overwritten."""
    with np.errstate(over="ignore", invalid="ignore"):
        products = np.vecdot(block, centroid)
        norms = np.sqrt(np.vecdot(block, block))
        np.subtract(block, centroid, out=block)
        return np.sqrt(np.vecdot(block, block)), norms, products


def geometry(centroid: Array, parts: Iterable[Part]) -> Geometry:
    """The parts of all blocks, in the order of rows, put together."""
    distances, norms, products = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))
    broken = ~np.isfinite(distances)
    distances[broken] = norms[broken] = np.nan
    scale = norms * np.linalg.norm(centroid)
    cosines = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    cosines[broken] = np.nan
    return Geometry(centroid, distances, norms, cosines, among_finite(distances))


def among_finite(values: Array) -> Array:
    """The percentile of each finite value among the finite ones, `[n]`; NaN for the others."""
    finite = np.isfinite(values)
    found = np.full(len(values), np.nan)
    found[finite] = percentiles(values[finite])
    return found


def shell(distances: Array) -> Shell:
    """The figures of finite distances `[n]`. NaN throughout where none is finite."""
    d = distances[np.isfinite(distances)]
    if not len(d):
        return Shell(float("nan"), float("nan"), tuple(float("nan") for _ in QUANTILES))
    return Shell(float(d.mean()), float(d.std()), tuple(float(q) for q in np.quantile(d, QUANTILES)))


@dataclass(frozen=True, slots=True)
class Components:
    """Directions `[dim, count]` of length 1, and the variance along each `[count]`, largest first."""

    directions: Array
    variances: Array


def components(multiply: Callable[[Array], Array], dim: int, count: int = 2) -> Components:
    """The first `count` components of the covariance `[dim, dim]` that `multiply` applies to `[dim, k]`.

    Each direction is turned so that its largest entry is positive: the same matrix always gives the same picture.

    >>> components(lambda x: np.diag([1.0, 9.0, 4.0]) @ x, 3).variances.round(6).tolist()
    [9.0, 4.0]
    """
    width = min(dim, count + _SPARE)
    basis, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, width)))
    before = np.zeros(min(count, dim))
    for _ in range(_MOST_PASSES):
        image = multiply(basis)
        values, rotation = np.linalg.eigh(basis.T @ image)
        variances = values[::-1][:count]
        if np.all(np.abs(variances - before) <= _STILL * np.abs(variances)):
            break
        before = variances
        basis, _ = np.linalg.qr(image @ rotation[:, ::-1])
    found = (basis @ rotation[:, ::-1])[:, :count]
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return Components(found * np.where(largest < 0, -1.0, 1.0), np.maximum(variances, 0.0))
