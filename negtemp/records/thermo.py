"""The records of a spectrum: one prompt's next-token distribution from beta = -inf through 0 to +inf.

    Thermo      the state at one beta
    Spectrum    what holds for all betas: density of logits, who rules at each end, where S has fallen by half

`position` counts the tokens generated after the prompt: 0 is the distribution right after the prompt. A pair named by
the sign of beta is an object with the keys `positive` and `negative`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from negtemp.records.lines import Json, TokenBytes, finite, number, record
from negtemp.theory.temperature import Temperature

Value = TypeVar("Value")


@record
@dataclass(frozen=True, slots=True)
class Thermo:
    """The distribution at one beta, as a physical system of energies -logit; in nats.

    log_z          ln Z; None where it is infinite, as at beta = ±inf
    heat_capacity  beta² Var(logit), without unit
    token_id       the most probable token, the lowest id where several tie; None where all are equal, as at beta = 0
    probability    of that token, or of each where all are equal
    """

    kind: ClassVar[str] = "thermo"
    sequence: int
    position: int
    beta: float
    log_z: float | None
    entropy: float
    energy: float
    heat_capacity: float
    token_id: int | None
    probability: float

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "sequence": self.sequence, "position": self.position, "beta": number(self.beta),
            "temperature": number(Temperature.of_beta(self.beta).temperature), "log_z": finite(self.log_z),
            "entropy": self.entropy, "energy": self.energy, "heat_capacity": self.heat_capacity,
            "token_id": self.token_id, "probability": self.probability,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Thermo":
        return cls(
            line["sequence"], line["position"], float(line["beta"]), line["log_z"], line["entropy"], line["energy"],
            line["heat_capacity"], line["token_id"], line["probability"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlacedToken(TokenBytes):
    """A token and where it stands in one distribution: its logit and ln p at T = 1, in nats."""

    token_id: int
    raw: bytes
    category: str
    logit: float
    logprob: float

    def to_dict(self) -> Json:
        return {
            "token_id": self.token_id, "piece": self.piece, "bytes": self.raw.hex(), "category": self.category,
            "logit": self.logit, "logprob": self.logprob,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "PlacedToken":
        return cls(line["token_id"], bytes.fromhex(line["bytes"]), line["category"], line["logit"], line["logprob"])


@dataclass(frozen=True, slots=True)
class BySign(Generic[Value]):
    """One value for beta > 0 and one for beta < 0."""

    positive: Value
    negative: Value

    def of(self, sign: int) -> Value:
        """The value on the side that `sign`, 1 or -1, names."""
        return self.positive if sign > 0 else self.negative

    def to_dict(self, shown: Callable[[Value], Any]) -> Json:
        return {"positive": shown(self.positive), "negative": shown(self.negative)}

    @classmethod
    def from_dict(cls, line: Json, read: Callable[[Any], Value]) -> "BySign[Value]":
        return cls(read(line["positive"]), read(line["negative"]))


@dataclass(frozen=True, slots=True)
class Density:
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

    def to_dict(self) -> Json:
        return {
            "lowest": self.lowest, "highest": self.highest, "mean": self.mean, "deviation": self.deviation,
            "edges": list(self.edges), "counts": list(self.counts),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Density":
        return cls(
            line["lowest"], line["highest"], line["mean"], line["deviation"], tuple(line["edges"]),
            tuple(line["counts"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where S rests between two falls, the dip between two peaks of C: `tokens`, exp(S), stand all but equal there.

    The less the heat capacity, the flatter the shelf and the surer the number.
    """

    beta: float
    tokens: float
    heat_capacity: float

    def to_dict(self) -> Json:
        return {"beta": self.beta, "tokens": self.tokens, "heat_capacity": self.heat_capacity}

    @classmethod
    def from_dict(cls, line: Json) -> "Shelf":
        return cls(line["beta"], line["tokens"], line["heat_capacity"])


@record
@dataclass(frozen=True, slots=True)
class Spectrum:
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

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "sequence": self.sequence, "position": self.position, "prompt": self.prompt,
            "following": self.following and self.following.to_dict(), "tokens": self.tokens, "masked": self.masked,
            "max_entropy": self.max_entropy, "entropy": self.entropy, "density": self.density.to_dict(),
            "half_entropy": self.half_entropy.to_dict(_same), "half_share": self.half_share.to_dict(_same),
            "shelf": self.shelf.to_dict(lambda shelf: shelf and shelf.to_dict()),
            "ties": self.ties.to_dict(_same),
            "rulers": self.rulers.to_dict(lambda tokens: [token.to_dict() for token in tokens]),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Spectrum":
        following = line["following"]
        return cls(
            line["sequence"], line["position"], line["prompt"], following and PlacedToken.from_dict(following),
            line["tokens"], line["masked"], line["max_entropy"], line["entropy"], Density.from_dict(line["density"]),
            BySign.from_dict(line["half_entropy"], _same), BySign.from_dict(line["half_share"], _same),
            BySign.from_dict(line["shelf"], lambda shelf: shelf and Shelf.from_dict(shelf)),
            BySign.from_dict(line["ties"], _same),
            BySign.from_dict(line["rulers"], lambda tokens: tuple(map(PlacedToken.from_dict, tokens))),
        )  # fmt: skip


def _same(value: Any) -> Any:
    return value
