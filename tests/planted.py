"""Matrices whose geometry is known in closed form: a centroid, and every row's distance to it.

Rows come in pairs, centroid + r u and centroid - r u with |u| = 1, so that the pairs cancel and the mean of all rows is
the planted centroid, whatever the directions u; the distance of both rows is r.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Planted:
    """A matrix `[rows, dim]` in float32 with its centroid `[dim]` and distances `[rows]`."""

    matrix: NDArray[np.float32]
    centroid: Floats
    distances: Floats


def planted(distances: Sequence[float], dim: int, *, centroid_norm: float = 1.0, seed: int = 0) -> Planted:
    """Two rows for each distance, side by side."""
    rng = np.random.default_rng(seed)
    directions = _unit(rng.normal(size=(len(distances), dim)))
    centroid = centroid_norm * _unit(rng.normal(size=(1, dim)))[0]
    offsets = np.asarray(distances)[:, None] * directions
    rows = centroid + np.stack([offsets, -offsets], axis=1).reshape(-1, dim)
    return Planted(rows.astype(np.float32), centroid, np.repeat(np.asarray(distances, np.float64), 2))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def rms_normed(row: NDArray[np.float32], epsilon: float) -> Floats:
    """RMS norm of one row, `[dim]`, in float64: the hidden state of a model whose layers add nothing."""
    wide = row.astype(np.float64)
    return np.asarray(wide / np.sqrt(np.mean(wide**2) + epsilon))
