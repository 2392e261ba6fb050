"""Who lies near the centroid of the embedding, who near that of the unembedding, and where a given set of tokens lies.

The article says that what comes out at T=-0.001 lies near the centroid of the embedding space. A logit is `u·h`, so a
row at the centroid of the *unembedding* has the mean logit and is never the least likely; what is left to measure is
the input embedding, and tied models tell the two apart. Beside every set of tokens stands a control: the tokens that
are least likely after *random* hidden states, which know nothing of language, only of the unembedding.

Rows of bytes and control tokens sit closest of all in real vocabularies, so every placement is made twice, among all
tokens and among the ordinary ones. It leaves out generating the tokens (`generate`).
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ModelError
from negtemp.model.tokens.categories import token_categories
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.model.weights.geometry import measure
from negtemp.model.weights.tensors import BIAS, NORM, NORM_BIAS, Rows, Tensor, Weights
from negtemp.records import MatrixGeometry, Placement, TokenGeometry, finite
from negtemp.records.geometry import CategoryGeometry, Matrix
from negtemp.theory.geometry import QUANTILES, Geometry, among_finite, shell
from negtemp.theory.statistics import auc, permutation_p

RANDOM_STATES = "random hidden states"
EXTRAORDINARY = ("control", "unused", "unknown", "byte", "byte-ascii", "byte-utf8", "byte-invalid")
_STATES = 64

Set = tuple[str, Iterable[int]]
"""Where tokens come from, and their ids."""


@dataclass(frozen=True)
class Measured:
    """One matrix as measured: its geometry over the vocabulary, and where its ordinary tokens are, `[vocab]`."""

    matrix: Matrix
    tied: bool
    tensor: Tensor
    geometry: Geometry
    ordinary: NDArray[np.bool_]

    @functools.cached_property
    def ordinary_percentiles(self) -> NDArray[np.float64]:
        """Percentiles among the ordinary tokens alone, `[vocab]`; NaN for the others."""
        return among_finite(np.where(self.ordinary, self.geometry.distances, np.nan))


def centroid(
    weights: Weights, vocabulary: Vocabulary, sets: Iterable[Set] = (), top: int | None = None, seed: int = 0,
    threads: int | None = None,
) -> Iterator[MatrixGeometry | Placement | TokenGeometry]:  # fmt: skip
    """For each matrix its summary, the placement of every set, and its tokens, nearest first.

    top   list so many tokens at each end, with and without the extraordinary ones, and those of the sets; None: all

    Raises ModelError as `measured` does, and for a token that does not exist.
    """
    category = categories(vocabulary)
    named = [(source, list(token_ids)) for source, token_ids in sets]
    placed = {token_id for _, token_ids in named for token_id in token_ids}
    for matrix in measured(weights, category, threads):
        yield summary(matrix, category)
        for source, token_ids in named:
            yield from placements(matrix, source, token_ids, seed)
        order = by_distance(matrix)
        if top is not None:
            ordinary = by_distance(matrix, ordinary_only=True)
            listed = placed.union(*(ids for end in (order, ordinary) for ids in (end[:top], end[-top:])))
            order = [token_id for token_id in order if token_id in listed]
        yield from tokens(matrix, vocabulary, category, order)


def categories(vocabulary: Vocabulary) -> list[str]:
    """The category of every token: by round trip where the file's tokenizer is fit for it, else what the file says."""
    try:
        found = token_categories(vocabulary)
    except ModelError:  # geometry needs no tokenizer
        return list(vocabulary.categories())
    given = vocabulary.categories()
    return [known if known == "user-defined" else tried for known, tried in zip(given, found, strict=True)]


def measured(weights: Weights, category: Sequence[str], threads: int | None = None) -> list[Measured]:
    """The embedding and, where it is another matrix, the unembedding. `category` has one entry for each token.

    Raises ModelError for a file without embeddings or of a type that ggml cannot read.
    """
    ordinary = np.array([name not in EXTRAORDINARY for name in category])
    matrices: list[tuple[Matrix, Tensor]] = [("embedding", weights.embedding)]
    if not weights.tied:
        matrices.append(("unembedding", weights.unembedding))
    return [
        Measured(name, weights.tied, tensor, measure(tensor.first(len(category)), threads), ordinary)
        for name, tensor in matrices
    ]


def summary(matrix: Measured, category: Sequence[str]) -> MatrixGeometry:
    """The shell of one matrix in figures."""
    found, tensor = matrix.geometry, matrix.tensor
    figures = shell(found.distances)
    return MatrixGeometry(
        matrix=matrix.matrix, tied=matrix.tied, type=tensor.type, rows=found.rows, dim=tensor.dim,
        padding_rows=tensor.rows - found.rows, centroid_norm=finite(float(np.linalg.norm(found.centroid))),
        norm_mean=_mean(found.norms), distance_mean=finite(figures.mean), distance_deviation=finite(figures.deviation),
        quantiles=dict(zip(map(str, QUANTILES), map(finite, figures.quantiles), strict=True)),
        categories=_by_category(found.percentiles, category),
    )  # fmt: skip


def _by_category(percentiles: NDArray[np.float64], category: Sequence[str]) -> dict[str, CategoryGeometry]:
    number = {name: index for index, name in enumerate(sorted(set(category)))}
    numbers = np.fromiter(map(number.__getitem__, category), np.uint8, len(category))
    return {
        name: CategoryGeometry(
            tokens=int(np.count_nonzero(numbers == index)), median_percentile=_median(percentiles[numbers == index])
        )
        for name, index in number.items()
    }


def tokens(
    matrix: Measured, vocabulary: Vocabulary, category: Sequence[str], token_ids: Iterable[int]
) -> Iterator[TokenGeometry]:
    """One record for each id, in the order given. Raises ModelError for an id that does not exist."""
    found = matrix.geometry
    for token_id in token_ids:
        yield TokenGeometry(
            matrix=matrix.matrix, token_id=token_id, raw=vocabulary.piece(token_id), category=category[token_id],
            norm=finite(float(found.norms[token_id])), distance=finite(float(found.distances[token_id])),
            cosine=finite(float(found.cosines[token_id])), percentile=finite(float(found.percentiles[token_id])),
            ordinary_percentile=finite(float(matrix.ordinary_percentiles[token_id])),
        )  # fmt: skip


def by_distance(matrix: Measured, ordinary_only: bool = False) -> list[int]:
    """Token ids, nearest to the centroid first; those whose row is not finite are left out."""
    percentiles = matrix.ordinary_percentiles if ordinary_only else matrix.geometry.percentiles
    order = np.argsort(percentiles, kind="stable")
    return list(order[np.isfinite(percentiles[order])].tolist())


def placements(matrix: Measured, source: str, token_ids: Iterable[int], seed: int = 0) -> Iterator[Placement]:
    """Where a set of tokens lies: among all tokens, then among the ordinary ones; each token counts once."""
    distinct = sorted(set(token_ids))
    yield _placement(matrix, source, "all", distinct, matrix.geometry.percentiles, seed)
    ordinary = [token_id for token_id in distinct if matrix.ordinary[token_id]]
    yield _placement(matrix, source, "ordinary", ordinary, matrix.ordinary_percentiles, seed)


def _placement(
    matrix: Measured, source: str, among: Literal["all", "ordinary"], token_ids: Sequence[int],
    percentiles: NDArray[np.float64], seed: int,
) -> Placement:  # fmt: skip
    chosen = np.zeros(len(percentiles), bool)
    chosen[list(token_ids)] = True
    known = np.isfinite(percentiles)
    ours, rest = percentiles[chosen & known], percentiles[~chosen & known]
    nearer = finite(auc(-ours, -rest))
    p = finite(permutation_p(ours, percentiles[known], seed=seed)) if len(rest) else None
    return Placement(
        matrix=matrix.matrix, source=source, among=among, token_ids=tuple(token_ids), median_percentile=_median(ours),
        auc=nearer, p=p,
    )  # fmt: skip


def random_argmins(weights: Weights, vocab: int, seed: int = 0) -> list[int]:
    """The least likely token after each of 64 random hidden states: normal vectors through the output norm.

    A normal vector has the mean square 1 that the norm gives a hidden state; then the norm's own weights and the head's
    bias are applied as the model does. Raises ModelError for a file without an unembedding.
    """
    unembedding = weights.unembedding.first(vocab)
    states = np.random.default_rng(seed).normal(size=(_STATES, unembedding.dim)).astype(np.float32)
    for name, apply in ((NORM, np.multiply), (NORM_BIAS, np.add)):
        vector = weights.vector(name)
        states = states if vector is None else apply(states, vector)
    bias = weights.vector(BIAS)

    def least(first: int, block: Rows) -> tuple[Rows, NDArray[np.int64]]:
        logits = block @ states.T
        if bias is not None:
            logits += bias[first : first + len(block), None]
        logits[~np.isfinite(logits)] = np.inf
        return logits.min(axis=0), first + logits.argmin(axis=0)

    minima, rows = zip(*unembedding.map(least, 1), strict=True)
    return [int(row) for row in np.array(rows)[np.argmin(minima, axis=0), np.arange(_STATES)]]


def _median(values: NDArray[np.float64]) -> float | None:
    kept = values[np.isfinite(values)]
    return float(np.median(kept)) if len(kept) else None


def _mean(values: NDArray[np.float64]) -> float | None:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else None
