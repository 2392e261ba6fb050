"""The map: every token of a matrix in its first two principal components, and how far each lies from the centroid.

A handful of passes over the rows of the file (`theory.components`), besides the two that measure distances. Rows that
are not finite have NaN for a place. It leaves out the drawing, which is the page's.
"""

import numpy as np
from numpy.typing import NDArray

from negtemp.model.weights.geometry import measure
from negtemp.model.weights.tensors import Rows, Tensor
from negtemp.theory.components import Array, components
from negtemp.web.frames import frame


def projected(tensor: Tensor, threads: int | None) -> bytes:
    """A frame of `x`, `y`, `distance` and `percentile`, one for each row. Raises ModelError where it cannot be read."""
    found = measure(tensor, threads)
    centroid = found.centroid.astype(np.float32)
    known = np.isfinite(found.distances)

    def multiply(directions: Array) -> Array:
        narrow = directions.astype(np.float32)
        parts = tensor.map(lambda _, block: _product(block, centroid, narrow), threads)
        return np.asarray(np.sum(parts, axis=0, dtype=np.float64) / max(1, int(known.sum())))

    best = components(multiply, tensor.dim)
    plane = best.directions.astype(np.float32)
    places = np.concatenate(tensor.map(lambda _, block: _centred(block, centroid) @ plane, threads))
    places[~known] = np.nan
    total = float(np.mean(found.distances[known] ** 2)) if known.any() else 0.0
    shares = [float(variance) / total if total else 0.0 for variance in best.variances]
    width = places.shape[1]
    columns = [
        np.ascontiguousarray(places[:, axis]) if axis < width else np.zeros(len(places), np.float32) for axis in (0, 1)
    ]
    return frame(
        {"shares": shares, "dim": tensor.dim}, x=columns[0], y=columns[1],
        distance=found.distances.astype(np.float32), percentile=found.percentiles.astype(np.float32),
    )  # fmt: skip


def _centred(block: Rows, centroid: NDArray[np.float32]) -> Rows:
    return np.asarray(block - centroid)


def _product(block: Rows, centroid: NDArray[np.float32], directions: NDArray[np.float32]) -> Array:
    """What the finite rows of a block add to the covariance times `directions`."""
    rows = _centred(block, centroid)
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return np.asarray(rows.T @ (rows @ directions), np.float64)
