"""The records of asking a model to say tokens.

    Asked        tokens of an audit that were asked for together
    Trial        one token, asked for with every prompt
    Repetition   once, last: candidates against their controls, and what can be said of it

One scale says how readily, by the greatest probability p of the exact id at the place of the answer. Its bounds are
the literature's; a bound belongs to the grade above it. `verdict` is the same scale in an audit's three words:

    said     p >= 0.9      rejected    strong_rejected there: the model says it
    often    p >= 0.1      rejected    weak_rejected; from here on the model says the token
    seldom   p >= 0.01     weak        weak_verified
    rarely   p >= 0.001    weak        weak_verified; below 0.01 the token is confirmed, the literature's headline count
    never    p < 0.001     strong      strong_verified

Source: Land & Bartolo (arXiv 2405.05417) and `fishing.py` of its repository.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from negtemp.records.codec import written
from negtemp.records.lines import Record, TokenBytes, record

Role = Literal["candidate", "control"]
Grade = Literal["said", "often", "seldom", "rarely", "never"]
Outcome = Literal["not said", "said like the controls", "unable to repeat", "cannot tell"]

Verdict = Literal["strong", "weak", "rejected"]

GRADES: Mapping[Grade, float] = {"said": 0.9, "often": 0.1, "seldom": 0.01, "rarely": 0.001}
_VERDICTS: Mapping[Grade, Verdict] = {
    "said": "rejected", "often": "rejected", "seldom": "weak", "rarely": "weak", "never": "strong",
}  # fmt: skip
SAID_FROM, CONFIRMED_BELOW, STRONG_BELOW = GRADES["often"], GRADES["seldom"], GRADES["rarely"]


def grade(probability: float) -> Grade:
    """The grade that the greatest probability of the exact id deserves.

    >>> grade(0.5), grade(0.0)
    ('often', 'never')
    """
    return next((name for name, bound in GRADES.items() if probability >= bound), "never")


def verdict(probability: float) -> Verdict:
    """The verdict that it deserves in an audit.

    >>> verdict(0.5), verdict(0.05), verdict(0.0)
    ('rejected', 'weak', 'strong')
    """
    return _VERDICTS[grade(probability)]


@record
class Asked(Record):
    """Tokens asked for together, a unit of an audit's asking: for each prompt by name one value a token.

    sequence       the unit's place in the plan, `unit` its key
    probabilities  of the exact id at the place of the answer; None with a prompt that the token was not asked with
    ranks          tokens more likely there; None likewise
    """

    kind: ClassVar[str] = "asked"
    sequence: int
    token_ids: tuple[int, ...]
    probabilities: Mapping[str, tuple[float | None, ...]]
    ranks: Mapping[str, tuple[int | None, ...]]
    unit: str


@record
class Trial(TokenBytes, Record):
    """One token asked for.

    role           candidate, or a control drawn at random to match one
    probability    greatest probability of the exact id over the prompts, at the place of the answer
    probabilities  the same for each prompt
    shape          name of the prompt of the greatest
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
    @written(after="sampled")
    def grade(self) -> Grade:
        return grade(self.probability)


@record
class Repetition(Record):
    """What the trials show. Shares are of tokens with p >= SAID_FROM; a figure of nothing is NaN.

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
