"""The records of `centroid`: one for each matrix, one for each token in it, one for each set of tokens placed in it.

    MatrixGeometry    the shell that the tokens of one matrix form around its centroid
    TokenGeometry     one token in one matrix
    Placement         where a set of tokens lies among the others, and how likely a random set is to lie so far out

A percentile of 0 is the token nearest to the centroid, 100 the farthest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from negtemp.records.lines import Json, TokenBytes, finite, record

Matrix = Literal["embedding", "unembedding"]


@record
@dataclass(frozen=True, slots=True)
class MatrixGeometry:
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
    categories: Mapping[str, tuple[int, float | None]]

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "matrix": self.matrix, "tied": self.tied, "type": self.type, "rows": self.rows,
            "dim": self.dim, "padding_rows": self.padding_rows, "centroid_norm": finite(self.centroid_norm),
            "norm_mean": finite(self.norm_mean), "distance_mean": finite(self.distance_mean),
            "distance_deviation": finite(self.distance_deviation),
            "quantiles": {share: finite(value) for share, value in self.quantiles.items()},
            "categories": {
                name: {"tokens": tokens, "median_percentile": finite(median)}
                for name, (tokens, median) in self.categories.items()
            },
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "MatrixGeometry":
        categories = {name: (c["tokens"], c["median_percentile"]) for name, c in line["categories"].items()}
        return cls(
            line["matrix"], line["tied"], line["type"], line["rows"], line["dim"], line["padding_rows"],
            line["centroid_norm"], line["norm_mean"], line["distance_mean"], line["distance_deviation"],
            line["quantiles"], categories,
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class TokenGeometry(TokenBytes):
    """One token in one matrix; the figures are None where its row is not finite.

    category              `model.tokens.categories`', or `user-defined`
    percentile            of its distance among all tokens
    ordinary_percentile   of its distance among tokens that are neither bytes nor control nor unused ones
    """

    kind: ClassVar[str] = "token"
    told_by: ClassVar[str] = "matrix"
    matrix: Matrix
    token_id: int
    raw: bytes
    category: str
    norm: float | None
    distance: float | None
    cosine: float | None
    percentile: float | None
    ordinary_percentile: float | None

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "matrix": self.matrix, "token_id": self.token_id, "piece": self.piece,
            "bytes": self.raw.hex(), "category": self.category, "norm": finite(self.norm),
            "distance": finite(self.distance), "cosine": finite(self.cosine), "percentile": finite(self.percentile),
            "ordinary_percentile": finite(self.ordinary_percentile),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "TokenGeometry":
        return cls(
            line["matrix"], line["token_id"], bytes.fromhex(line["bytes"]), line["category"], line["norm"],
            line["distance"], line["cosine"], line["percentile"], line["ordinary_percentile"],
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Placement:
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

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "matrix": self.matrix, "source": self.source, "among": self.among,
            "token_ids": list(self.token_ids), "median_percentile": finite(self.median_percentile),
            "auc": finite(self.auc), "p": finite(self.p),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Placement":
        return cls(
            line["matrix"], line["source"], line["among"], tuple(line["token_ids"]), line["median_percentile"],
            line["auc"], line["p"],
        )  # fmt: skip
