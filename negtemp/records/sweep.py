"""The records about a sweep as a whole: Forecast, what it will take, and Summary, what came out at a temperature."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

from negtemp.records.lines import Json, number, record
from negtemp.theory.temperature import Temperature


@record
@dataclass(frozen=True, slots=True)
class Forecast:
    """What a sweep is expected to take, from a trial of a few steps.

    units      in all; `finished` of them are in the run directory already
    sequences  decoded together
    tokens     generated at most by what is left
    memory     bytes: the model's file, the KV cache and the logits
    seconds    for what is left, at the trial's speed
    """

    kind: ClassVar[str] = "forecast"
    units: int
    finished: int
    sequences: int
    tokens: int
    memory: int
    seconds: float

    def to_dict(self) -> Json:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, line: Json) -> "Forecast":
        return cls(**{name: value for name, value in line.items() if name != "kind"})


class Estimate(NamedTuple):
    """A mean or a share with its 95 % interval; null where there is nothing to estimate."""

    value: float | None
    low: float | None
    high: float | None


@record
@dataclass(frozen=True, slots=True)
class Summary:
    """All finished units of one temperature.

    units, errors  how many were generated, how many could not be
    figures        by name (mean_logprob, mean_rank, mean_entropy, distinct, longest_repeat, non_ascii,
                   median_centroid_percentile): mean over units
    categories     by category of token: mean share of a completion's tokens
    stops          by stop reason: share of units
    """

    kind: ClassVar[str] = "summary"
    temperature: Temperature
    units: int
    errors: int
    figures: Mapping[str, Estimate]
    categories: Mapping[str, Estimate]
    stops: Mapping[str, Estimate]

    def to_dict(self) -> Json:
        tables = {"figures": self.figures, "categories": self.categories, "stops": self.stops}
        return {
            "kind": self.kind, "temperature": number(self.temperature.temperature),
            "beta": number(self.temperature.beta), "units": self.units, "errors": self.errors,
        } | {name: {key: e._asdict() for key, e in table.items()} for name, table in tables.items()}  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Summary":
        def estimates(table: Mapping[str, Any]) -> dict[str, Estimate]:
            return {name: Estimate(**entry) for name, entry in table.items()}

        return cls(
            Temperature(float(line["temperature"]), float(line["beta"])), line["units"], line["errors"],
            estimates(line["figures"]), estimates(line["categories"]), estimates(line["stops"]),
        )  # fmt: skip
