"""The records of asking a model to say tokens.

    Trial        one token, asked for in every prompt shape
    Repetition   once, last: candidates against their controls, and what can be said of it

`grade` says how readily, by the greatest probability p of the exact id at the place of the answer; the bounds are those
that the literature draws:

    said     p > 0.9         strong_rejected there: the model says it
    often    p > 0.1         weak_rejected
    seldom   p > 0.01
    rarely   p > 0.001       its headline count is p < 0.01
    never    p <= 0.001      strong_verified: an under-trained token

Source: Land & Bartolo (arXiv 2405.05417) and `fishing.py` of its repository.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from negtemp.printable import printable
from negtemp.records.lines import Json, finite, record

Role = Literal["candidate", "control"]
Grade = Literal["said", "often", "seldom", "rarely", "never"]
Outcome = Literal["not said", "said like the controls", "unable to repeat", "cannot tell"]

SAID_ABOVE: Mapping[Grade, float] = {"said": 0.9, "often": 0.1, "seldom": 0.01, "rarely": 0.001}
SAYS_ABOVE = SAID_ABOVE["often"]
"""A token asked for with a higher probability than this counts as one that the model says."""


def grade(probability: float) -> Grade:
    """The grade that the greatest probability of the exact id deserves.

    >>> grade(0.5), grade(0.0)
    ('often', 'never')
    """
    return next((name for name, bound in SAID_ABOVE.items() if probability > bound), "never")


@record
@dataclass(frozen=True, slots=True)
class Trial:
    """One token asked for.

    role           candidate, or a control drawn at random to match one
    probability    greatest probability of the exact id over the prompt shapes, at the place of the answer
    probabilities  the same for each shape
    shape          the shape of the greatest
    rank           tokens more likely there; 0 = it is what the model says
    said           what the model said there instead or indeed, greedily: token ids and their bytes
    sampled        share of answers drawn at T = 1 that hold the id; None where none was drawn
    control_for    the candidate that a control stands for
    matched_on     what a control shares with it
    """

    kind: ClassVar[str] = "trial"
    token_id: int
    raw: bytes
    category: str
    role: Role
    probability: float
    probabilities: Mapping[str, float]
    shape: str
    rank: int
    said: tuple[int, ...]
    said_raw: bytes
    sampled: float | None
    control_for: int | None = None
    matched_on: tuple[str, ...] = ()

    @property
    def grade(self) -> Grade:
        return grade(self.probability)

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "token_id": self.token_id, "piece": printable(self.raw), "bytes": self.raw.hex(),
            "category": self.category, "role": self.role, "probability": self.probability,
            "probabilities": dict(self.probabilities), "shape": self.shape, "rank": self.rank,
            "said": list(self.said), "said_piece": printable(self.said_raw), "said_bytes": self.said_raw.hex(),
            "sampled": self.sampled, "grade": self.grade, "control_for": self.control_for,
            "matched_on": list(self.matched_on),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Trial":
        return cls(
            line["token_id"], bytes.fromhex(line["bytes"]), line["category"], line["role"], line["probability"],
            line["probabilities"], line["shape"], line["rank"], tuple(line["said"]), bytes.fromhex(line["said_bytes"]),
            line["sampled"], line["control_for"], tuple(line["matched_on"]),
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Repetition:
    """What the trials show. Shares are of tokens whose probability exceeds SAYS_ABOVE; a figure of nothing is NaN.

    difference   mean over candidates of its probability less the mean of its own controls'; `interval` is its 95 %
                 bootstrap interval, `pairs` the candidates that have a control
    nats         the same with log-probabilities, which tell even where nothing is said; `nats_interval` likewise
    outcome      `unable to repeat` where fewer than half of the controls are said: then nothing is known of candidates
    """

    kind: ClassVar[str] = "repetition"
    candidates: int
    controls: int
    candidates_said: float
    controls_said: float
    difference: float
    interval: tuple[float, float]
    nats: float
    nats_interval: tuple[float, float]
    pairs: int
    outcome: Outcome

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "candidates": self.candidates, "controls": self.controls,
            "candidates_said": finite(self.candidates_said), "controls_said": finite(self.controls_said),
            "difference": finite(self.difference), "interval": [finite(end) for end in self.interval],
            "nats": finite(self.nats), "nats_interval": [finite(end) for end in self.nats_interval],
            "pairs": self.pairs, "outcome": self.outcome,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Repetition":
        said, controls_said, difference, nats, low, high, nats_low, nats_high = map(
            figure,
            [
                *(line[name] for name in ("candidates_said", "controls_said", "difference", "nats")),
                *line["interval"],
                *line["nats_interval"],
            ],
        )
        return cls(
            line["candidates"], line["controls"], said, controls_said, difference, (low, high), nats,
            (nats_low, nats_high), line["pairs"], line["outcome"],
        )  # fmt: skip


def figure(value: float | None) -> float:
    """A figure read back: null is NaN."""
    return math.nan if value is None else value
