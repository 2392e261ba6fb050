"""The records of an audit, of the difference of two, and of a scan.

    AuditToken    one token: its indicators, and what asking the model to say it showed
    Audit         once, last: what the whole audit rests on, counts by category, and whether anything can be said
    Change        one token that two models disagree about
    Difference    once, last: how alike two audits are
    Occurrence    one such token found in somebody's files
    Scanned       one file that was read

`verdict` maps the literature's classes, so that counts compare (p is the greatest probability of the exact id):

    strong      p < 0.001     strong_verified
    weak        p < 0.1       weak_verified; its headline count is p < 0.01, our `below_0_01`
    rejected    p >= 0.1      weak_rejected and, above 0.9, strong_rejected
    null        not verified: not a candidate, not reachable from text, or the model cannot repeat its controls

Source: Land & Bartolo (arXiv 2405.05417) and `fishing.py` of its repository.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from negtemp.records.lines import Json, TokenBytes, finite, record

Verdict = Literal["strong", "weak", "rejected"]
STRONG_BELOW, HEADLINE_BELOW, REJECTED_FROM = 0.001, 0.01, 0.1


def verdict(probability: float) -> Verdict:
    """The verdict that the greatest probability of the exact id deserves."""
    if probability < STRONG_BELOW:
        return "strong"
    return "weak" if probability < REJECTED_FROM else "rejected"


@record
@dataclass(frozen=True, slots=True)
class AuditToken(TokenBytes):
    """One token of an audit.

    rank           0 = most suspect of the vocabulary
    score          0 = as tokens in use; from 0.5 on suspect, and 1 = as the core of the suspects; NaN: none
    indicators     by name, higher = more suspect; NaN where the token has none
    candidate      suspect enough to be looked at
    probability    greatest probability of the exact id when asked to say it; None where it was not asked
    probabilities  the same for each prompt shape
    superstrings   ids of tokens that this one is a part of, which explain a fragment left over by merges
    """

    kind: ClassVar[str] = "token"
    told_by: ClassVar[str] = "indicators"
    token_id: int
    raw: bytes
    category: str
    rank: int
    score: float
    indicators: Mapping[str, float]
    candidate: bool = False
    probability: float | None = None
    verdict: Verdict | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    superstrings: tuple[int, ...] = ()

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "token_id": self.token_id, "piece": self.piece, "bytes": self.raw.hex(),
            "category": self.category, "rank": self.rank, "score": finite(self.score),
            "indicators": {name: finite(value) for name, value in self.indicators.items()},
            "candidate": self.candidate, "probability": finite(self.probability), "verdict": self.verdict,
            "probabilities": {shape: finite(value) for shape, value in self.probabilities.items()},
            "superstrings": list(self.superstrings),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "AuditToken":
        return cls(
            line["token_id"], bytes.fromhex(line["bytes"]), line["category"], line["rank"], _score(line["score"]),
            {name: _score(value) for name, value in line["indicators"].items()}, line["candidate"],
            line["probability"], line["verdict"], line["probabilities"], tuple(line["superstrings"]),
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit as a whole found.

    problem      why nothing can be said, or None
    combined     the indicators that the score is made of
    reference    where the tokens known to be unused were found, and how many
    structure    probability that a token known to be unused outranks one that the model writes; None without any
    threshold    score from which a token is a candidate; None where --candidates gave a number
    controls     tokens asked first, the median of their probabilities, and the share of at least 0.1
    categories   by category: tokens, candidates, verified, strong, weak, rejected, below_0_01
    truth        against a file of counts, where one was given: see `theory.retrieval`
    """

    kind: ClassVar[str] = "audit"
    problem: str | None
    combined: tuple[str, ...]
    reference: Mapping[str, Any]
    structure: float | None
    threshold: float | None
    controls: Mapping[str, Any]
    categories: Mapping[str, Mapping[str, int]]
    truth: Mapping[str, Any] | None = None

    @property
    def can_verify(self) -> bool:
        """Whether the model said its controls, without which a verdict means nothing."""
        return bool(self.controls.get("said", False))

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "problem": self.problem, "combined": list(self.combined),
            "reference": dict(self.reference), "structure": finite(self.structure),
            "threshold": finite(self.threshold), "controls": dict(self.controls),
            "categories": {name: dict(counts) for name, counts in self.categories.items()},
            "truth": None if self.truth is None else dict(self.truth),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Audit":
        return cls(
            line["problem"], tuple(line["combined"]), line["reference"], line["structure"], line["threshold"],
            line["controls"], line["categories"], line["truth"],
        )  # fmt: skip


def _score(value: float | None) -> float:
    """A score read back: null is NaN."""
    return float("nan") if value is None else value


@record
@dataclass(frozen=True, slots=True)
class Change:
    """One token that is suspect in one of two models and not in the other."""

    kind: ClassVar[str] = "change"
    change: Literal["appeared", "healed"]
    before: AuditToken
    after: AuditToken

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "change": self.change, "token_id": self.after.token_id, "piece": self.after.piece,
            "bytes": self.after.raw.hex(), "category": self.after.category, "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Change":
        return cls(line["change"], AuditToken.from_dict(line["before"]), AuditToken.from_dict(line["after"]))


@record
@dataclass(frozen=True, slots=True)
class Difference:
    """How alike two audits are.

    names          of the two models
    correlation    Spearman's, of the score, over the vocabulary; None where one of them is constant
    by_indicator   the same for each indicator that both have
    appeared, healed, both    tokens suspect only after, only before, in both
    """

    kind: ClassVar[str] = "difference"
    names: tuple[str, str]
    tokens: int
    correlation: float | None
    by_indicator: Mapping[str, float | None]
    appeared: int
    healed: int
    both: int

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "names": list(self.names), "tokens": self.tokens,
            "correlation": finite(self.correlation),
            "by_indicator": {name: finite(value) for name, value in self.by_indicator.items()},
            "appeared": self.appeared, "healed": self.healed, "both": self.both,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Difference":
        first, second = line["names"]
        return cls(
            (first, second), line["tokens"], line["correlation"], line["by_indicator"], line["appeared"],
            line["healed"], line["both"],
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Occurrence(TokenBytes):
    """One under-trained token in one file.

    strings   times its bytes stand there, overlapping ones and parts of longer words included
    tokens    times the tokenizer makes this token of the text; None where it was not asked
    lines     numbers of the first lines in which it was found, from 1
    """

    kind: ClassVar[str] = "occurrence"
    file: str
    token_id: int
    raw: bytes
    verdict: Verdict | None
    probability: float | None
    strings: int
    tokens: int | None
    lines: tuple[int, ...]

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "file": self.file, "token_id": self.token_id, "piece": self.piece,
            "bytes": self.raw.hex(), "verdict": self.verdict, "probability": finite(self.probability),
            "strings": self.strings, "tokens": self.tokens, "lines": list(self.lines),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Occurrence":
        return cls(
            line["file"], line["token_id"], bytes.fromhex(line["bytes"]), line["verdict"], line["probability"],
            line["strings"], line["tokens"], tuple(line["lines"]),
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Scanned:
    """One file that was read: its size in bytes, its texts (lines, or strings of JSON Lines), what was found in all."""

    kind: ClassVar[str] = "scanned"
    file: str
    size: int
    texts: int
    strings: int
    tokens: int | None

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "file": self.file, "size": self.size, "texts": self.texts, "strings": self.strings,
            "tokens": self.tokens,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Scanned":
        return cls(line["file"], line["size"], line["texts"], line["strings"], line["tokens"])
