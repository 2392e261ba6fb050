"""The records of `centroid`: one for each matrix, one for each token in it, one for each set of tokens placed in it.

    MatrixGeometry    the shell that the tokens of one matrix form around its centroid
    TokenGeometry     one token in one matrix
    Placement         where a set of tokens lies among the others, and how likely a random set is to lie so far out

A percentile of 0 is the token nearest to the centroid, 100 the farthest.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from negtemp.records.codec import Part, part
from negtemp.records.lines import Record, TokenBytes, record

Matrix = Literal["embedding", "unembedding"]


@part
class CategoryGeometry(Part):
    """The tokens of one category: how many, and the median of their percentiles."""

    tokens: int
    median_percentile: float | None


@record
class MatrixGeometry(Record):
    """One matrix. `tied` says that it serves as embedding and unembedding both.

    type           ggml's name of how it is stored
    padding_rows   rows beyond the vocabulary, which are left out
    quantiles      of the distances, keyed by the share below: "0.01" to "0.99"
    categories     tokens and their median percentile, by category
    """

    kind: ClassVar[str] = "geometry"
    matrix: Matrix
    tied: bool
    type: str
    rows: int
    dim: int
    padding_rows: int
    centroid_norm: float | None
    norm_mean: float | None
    distance_mean: float | None
    distance_deviation: float | None
    quantiles: Mapping[str, float | None]
    categories: Mapping[str, CategoryGeometry]


@record
class TokenGeometry(TokenBytes, Record):
    """One token in one matrix; the figures are None where its row is not finite.

    category              `model.tokens.categories`'s, or `user-defined`
    percentile            of its distance among all tokens
    ordinary_percentile   of its distance among tokens that are neither bytes nor control nor unused ones
    """

    kind: ClassVar[str] = "token"
    discriminator: ClassVar[str] = "matrix"
    matrix: Matrix
    token_id: int
    raw: bytes
    category: str
    norm: float | None
    distance: float | None
    cosine: float | None
    percentile: float | None
    ordinary_percentile: float | None


@record
class Placement(Record):
    """A set of distinct tokens in one matrix, against the rest of the vocabulary or of its ordinary tokens.

    source       where the tokens come from: `given`, `T=-0.001 (β=-1000)`, `random hidden states`
    among        what they are compared with: `all` tokens, or `ordinary` ones, and then only those of the set count
    auc          probability that one of them is nearer to the centroid than one of the rest: 1 all nearer, 0 farther
    p            two-sided, of the mean percentile against as many tokens drawn at random
    """

    kind: ClassVar[str] = "placement"
    matrix: Matrix
    source: str
    among: Literal["all", "ordinary"]
    token_ids: tuple[int, ...]
    median_percentile: float | None
    auc: float | None
    p: float | None
