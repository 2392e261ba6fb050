"""Indicators of under-trained tokens that look at weights alone: norms, distances, the unused-token direction.

With `E` the embedding, `U` the unembedding, both `[vocab, dim]`, `mu` a matrix's mean row and `R` tokens known to be
unused,

    input_norm           -|E_i|               weight decay shrinks rows that are never read (untied models)
    input_centroid       -|E_i - mu_E|        the article's remark; for small mu the same as the norm
    output_centroid      -|U_i - mu_U|        a row *at* the centroid has the mean logit, never the least
    unused_cosine        cos(U_i, m),         m = mean of U_r over R
    unused_cosine_no_pc  the same on U - (U c) cᵀ, c the first principal component of U

Each is oriented so that a higher score is more suspect, as the hypothesis has it; where a model refutes the hypothesis
(tied weights, for the first two) the score ranks the other way round, and no sign is turned to hide that. All functions
take a block of rows, `[n, dim]`, so a matrix need never be whole; `geometry` does the same for whole matrices in
float32, faster. It leaves out the choice of R (`experiments`).

Sources: Land & Bartolo (EMNLP 2024, arXiv 2405.05417), section 3.1 and `utils.py`: norm, cosine with denominators of at
least 1e-6, first component removed. Rumbelow & Watkins, SolidGoldMagikarp (2023): distance to the centroid. The
principal component is of centred rows, found by power iteration (Golub & Van Loan, section 8.2).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SMALLEST_NORM = 1e-6
_ITERATIONS = 200
_CONVERGED = 1e-9


def norms(rows: ArrayLike) -> Array:
    """|row|, `[n]`, with float64 sums. A row that is not finite has a norm of NaN."""
    r = np.asarray(rows, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", r, r))
    return np.where(np.isfinite(lengths), lengths, np.nan)


def distances(rows: ArrayLike, point: ArrayLike) -> Array:
    """|row - point|, `[n]`, for a point `[dim]`."""
    with np.errstate(invalid="ignore"):
        return norms(np.asarray(rows, dtype=np.float64) - np.asarray(point, dtype=np.float64))


def cosines(rows: ArrayLike, direction: ArrayLike) -> Array:
    """Cosine of each row with a direction `[dim]`, `[n]`; 0 for a row of zeros.

    >>> cosines([[3.0, 4.0], [0.0, 0.0]], [0.0, 2.0]).tolist()
    [0.8, 0.0]
    """
    r, d = np.asarray(rows, dtype=np.float64), np.asarray(direction, dtype=np.float64)
    lengths = np.maximum(norms(r), _SMALLEST_NORM) * max(float(np.linalg.norm(d)), _SMALLEST_NORM)
    with np.errstate(invalid="ignore"):
        return np.asarray(r @ d / lengths)


def unused_direction(rows: ArrayLike) -> Array | None:
    """The mean of the rows of tokens known to be unused, `[dim]`; None where no row is finite and not zero.

    Padding that a converter added after training is all zeros and says nothing, so it is left out.
    """
    r = np.asarray(rows, dtype=np.float64)
    nonzero = norms(r) > _SMALLEST_NORM
    return np.asarray(r[nonzero].mean(axis=0)) if nonzero.any() else None


def first_component(rows: ArrayLike, seed: int = 0) -> Array:
    """The first principal component of `[n, dim]` rows, centred first: a unit vector `[dim]`, of either sign.

    Rows that are not finite are left out; zero where nothing varies.
    """
    r = np.asarray(rows, dtype=np.float32)
    r = r[np.isfinite(r).all(axis=1)]
    mean = r.mean(axis=0, dtype=np.float64) if len(r) else np.zeros(r.shape[1])
    vector: Array = np.random.default_rng(seed).normal(size=(r.shape[1],))
    vector /= np.linalg.norm(vector)
    for _ in range(_ITERATIONS):
        image = _covariance_times(r, mean, vector)
        length = float(np.linalg.norm(image))
        if length <= _SMALLEST_NORM**2:
            return np.zeros(r.shape[1])
        image /= length
        done = 1.0 - abs(float(image @ vector)) < _CONVERGED
        vector = image
        if done:
            break
    return vector


def _covariance_times(rows: NDArray[np.float32], mean: Array, vector: Array) -> Array:
    """(X - mean)ᵀ (X - mean) v without forming the centred matrix or the covariance."""
    along = np.asarray(rows @ vector.astype(np.float32), dtype=np.float64) - mean @ vector
    return np.asarray((along.astype(np.float32) @ rows).astype(np.float64) - along.sum() * mean)


def without(rows: ArrayLike, component: ArrayLike) -> Array:
    """Rows `[n, dim]` less their part along a unit vector `[dim]`."""
    r, c = np.asarray(rows, dtype=np.float64), np.asarray(component, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(r - np.outer(r @ c, c))
