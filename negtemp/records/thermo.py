"""The records of a spectrum: one prompt's next-token distribution from beta = -inf through 0 to +inf.

    Thermo      the state at one beta
    Spectrum    what holds for all betas: density of logits, who rules at each end, where S has fallen by half

`position` counts the tokens generated after the prompt: 0 is the distribution right after the prompt. A pair named by
the sign of beta is an object with the keys `positive` and `negative`.
"""

from typing import ClassVar, Generic, TypeVar

from negtemp.records.codec import Part, part, written
from negtemp.records.lines import Record, TokenBytes, record
from negtemp.records.values import Extended
from negtemp.theory.temperature import Temperature

Value = TypeVar("Value")


@record
class Thermo(Record):
    """The distribution at one beta, as a physical system of energies -logit; in nats.

    log_z          ln Z; None where it is infinite, as at beta = ±inf
    heat_capacity  beta² Var(logit), without unit
    token_id       the most probable token, the lowest id where several tie; None where all are equal, as at beta = 0
    probability    of that token, or of each where all are equal
    """

    kind: ClassVar[str] = "thermo"
    sequence: int
    position: int
    beta: Extended
    log_z: float | None
    entropy: float
    energy: float
    heat_capacity: float
    token_id: int | None
    probability: float

    @property
    @written(after="beta")
    def temperature(self) -> Extended:
        return Temperature.of_beta(self.beta).temperature


@part
class PlacedToken(TokenBytes, Part):
    """A token and where it stands in one distribution: its logit and ln p at T = 1, in nats."""

    token_id: int
    raw: bytes
    category: str
    logit: float
    logprob: float


@part
class BySign(Part, Generic[Value]):
    """One value for beta > 0 and one for beta < 0."""

    positive: Value
    negative: Value

    def of(self, sign: int) -> Value:
        """The value on the side that `sign`, 1 or -1, names."""
        return self.positive if sign > 0 else self.negative


@part
class Density(Part):
    """The logits of the tokens that are not masked, in nats: extremes, moments and a histogram.

    edges    `[bins + 1]`, ascending, from the lowest logit to the highest
    counts   `[bins]` tokens between one edge and the next
    """

    lowest: float
    highest: float
    mean: float
    deviation: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@part
class Shelf(Part):
    """Where S rests between two falls, the dip between two peaks of C: `tokens`, exp(S), stand all but equal there.

    The less the heat capacity, the flatter the plateau and the surer the number.
    """

    beta: float
    tokens: float
    heat_capacity: float


@record
class Spectrum(Record):
    """What one distribution is at every beta.

    following     the token that was drawn here and leads to the next position; None at the last
    tokens        V, those that are not masked; `masked` are the others
    max_entropy   ln V, the entropy at beta = 0
    entropy       at T = 1
    half_entropy  beta at which S = ln(V)/2; None where ties at that end never let it fall so far
    half_share    beta from which on the ruler holds at least half of the probability; None where another ties with it
    shelf         where S rests on its way down, nearest to beta = 0; None where it falls in one go
    ties          tokens that share the extreme logit: S falls to the logarithm of their number
    rulers        the tokens favoured most, first the ruler
    """

    kind: ClassVar[str] = "spectrum"
    sequence: int
    position: int
    prompt: str
    following: PlacedToken | None
    tokens: int
    masked: int
    max_entropy: float
    entropy: float
    density: Density
    half_entropy: BySign[float | None]
    half_share: BySign[float | None]
    shelf: BySign[Shelf | None]
    ties: BySign[int]
    rulers: BySign[tuple[PlacedToken, ...]]
