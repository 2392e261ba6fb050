"""The records of `reproduce`: a verdict for each claim of the article, and the published tokens found in this model.

ClaimVerdict      one claim: whether it holds here, by how much, and against which controls
PublishedToken    one token that the article or the literature names, where this vocabulary holds it under that id
"""

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Literal

from negtemp.records.lines import Record, TokenBytes, record

Claim = Literal[
    "coherent-above-zero", "degenerate-below-zero", "near-input-centroid", "not-said-when-asked", "prompt-independent"
]
Holds = Literal["holds", "fails", "cannot tell"]


@record
class ClaimVerdict(Record):
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


@record
class PublishedToken(TokenBytes, Record):
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
