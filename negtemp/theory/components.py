"""The directions along which the rows of a matrix vary most: its first principal components, without the matrix.

For rows `e_i` with mean `mu` the covariance is `C = mean((e_i - mu)(e_i - mu)^T)`; the components are its eigenvectors
of the largest eigenvalues, which are the variances along them. All that is needed of C is its product with a few
directions, one pass over the rows, so a matrix that is never whole in memory will do.

Subspace iteration with a Rayleigh-Ritz step: apply C to some directions, make them orthogonal, and take the best within
their span, until the variances stand still. It leaves out where the rows come from (`model.weights`).

Source: Halko, Martinsson & Tropp, Finding structure with randomness (SIAM Review 53, 2011), algorithm 4.4; Golub &
Van Loan, Matrix Computations, section 8.2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SPARE = 6  # directions besides those wanted: the more, the fewer passes
_MOST_PASSES = 30
_STILL = 1e-4


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
