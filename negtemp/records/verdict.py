"""The records of `reproduce`: a verdict for each claim of the article, and the published tokens found in this model.

ClaimVerdict      one claim: whether it holds here, by how much, and against which controls
PublishedToken    one token that the article or the literature names, where this vocabulary holds it under that id
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from negtemp.printable import printable
from negtemp.records.lines import Json, finite, record
from negtemp.records.trial import figure

Claim = Literal[
    "coherent-above-zero", "degenerate-below-zero", "near-input-centroid", "not-said-when-asked", "prompt-independent"
]
Holds = Literal["holds", "fails", "cannot tell"]


@record
@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What became of one claim.

    effect     what was measured, as `measure` says; NaN where nothing could be
    interval   95 % of it
    n          what it is an average over: prompts, tokens or pairs
    controls   the same measure of what should not show the effect, by name
    figures    further figures, by name
    note       what a reader should know besides, in a few words; empty for nothing
    """

    kind: ClassVar[str] = "verdict"
    claim: Claim
    verdict: Holds
    measure: str
    effect: float
    interval: tuple[float, float]
    n: int
    controls: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "claim": self.claim, "verdict": self.verdict, "measure": self.measure,
            "effect": finite(self.effect), "interval": [finite(end) for end in self.interval], "n": self.n,
            "controls": {name: finite(value) for name, value in self.controls.items()},
            "figures": {name: finite(value) for name, value in self.figures.items()}, "note": self.note,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "ClaimVerdict":
        low, high = map(figure, line["interval"])
        controls, figures = (
            {name: figure(value) for name, value in line[key].items()} for key in ("controls", "figures")
        )
        return cls(
            line["claim"], line["verdict"], line["measure"], figure(line["effect"]), (low, high), line["n"], controls,
            figures, line["note"],
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class PublishedToken:
    """A published token that this vocabulary holds under the same id and name.

    source       where it was published
    percentile   of its distance to the centroid of the embedding, 0 the nearest; None where there is none
    emitted      how often this model emitted it at T=-0.001 here
    """

    kind: ClassVar[str] = "published"
    token_id: int
    raw: bytes
    source: str
    percentile: float | None
    emitted: int

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "token_id": self.token_id, "piece": printable(self.raw), "bytes": self.raw.hex(),
            "source": self.source, "percentile": finite(self.percentile), "emitted": self.emitted,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "PublishedToken":
        return cls(line["token_id"], bytes.fromhex(line["bytes"]), line["source"], line["percentile"], line["emitted"])
