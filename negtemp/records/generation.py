"""The records of a generation.

    Header        once, first: what ran, on which model, by which engine, with which settings
    Step          one emitted token and what the model thought of it
    Completion    one finished sequence
    Failure       one sequence that could not be

`bytes` (hexadecimal) is the truth about a token; `piece` and `text` are the safe views that `printable` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from negtemp.errors import RecordError
from negtemp.records.lines import SCHEMA, Json, TokenBytes, finite, log, number, record
from negtemp.theory.temperature import Temperature

Stop = Literal["length", "eog", "context"]


def _known(optional: Json) -> Json:
    """The fields that have a value."""
    return {name: value for name, value in optional.items() if value is not None}


@record
@dataclass(frozen=True, slots=True)
class Header:
    """The first line of every stream of records: enough to run it again."""

    kind: ClassVar[str] = "header"
    negtemp: str
    command: str
    model: Mapping[str, Any]
    engine: Mapping[str, Any]
    settings: Mapping[str, Any]
    schema: int = SCHEMA

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "schema": self.schema, "negtemp": self.negtemp, "command": self.command,
            "model": dict(self.model), "engine": dict(self.engine), "settings": dict(self.settings),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Header":
        if line["schema"] != SCHEMA:
            raise RecordError(f"records of schema {line['schema']}; this negtemp reads schema {SCHEMA}: upgrade it")
        return cls(line["negtemp"], line["command"], line["model"], line["engine"], line["settings"])


@record
@dataclass(frozen=True, slots=True)
class Step(TokenBytes):
    """One emitted token. logprob, rank and entropy are of the model's own distribution at T = 1, without any filter.

    raw              the token's bytes
    logprob          ln p of the token at T = 1, nats
    rank             tokens strictly more likely at T = 1; 0 = most likely
    entropy          of the whole distribution at T = 1, nats
    gap              nats between the two logits that this sign of T favours most among those that may be drawn
    sampled_logprob  ln of the probability it was drawn with, at this T and after every filter, nats
    centroid_percentile    of the token's input embedding: 0 the nearest to the centroid of all, 100 the farthest;
                           left out where it is not known
    """

    kind: ClassVar[str] = "step"
    sequence: int
    position: int
    token_id: int
    raw: bytes
    logprob: float
    rank: int
    entropy: float
    gap: float
    sampled_logprob: float
    centroid_percentile: float | None = None

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "sequence": self.sequence, "position": self.position, "token_id": self.token_id,
            "piece": self.piece, "bytes": self.raw.hex(), "logprob": finite(self.logprob), "rank": self.rank,
            "entropy": self.entropy, "gap": self.gap, "sampled_logprob": finite(self.sampled_logprob),
        } | _known({"centroid_percentile": self.centroid_percentile})  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Step":
        return cls(
            line["sequence"], line["position"], line["token_id"], bytes.fromhex(line["bytes"]),
            log(line["logprob"]), line["rank"], line["entropy"], line["gap"], log(line["sampled_logprob"]),
            line.get("centroid_percentile"),
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Completion:
    """One finished sequence. The means are over its tokens and None where it has none.

    text               safe view of the emitted bytes, spaces and newlines as they are, end-of-generation token left out
    tokens_per_second  decodes per second between its first and last token; None for fewer than two tokens
    distinct           distinct tokens over tokens
    mean_entropy       of the model's own distributions at T = 1, nats
    longest_repeat     tokens in the longest block that occurs twice (`theory.repetition`)
    non_ascii          share of tokens with a byte beyond ASCII
    categories         share of tokens of each category that occurs
    unit, run_seed, repeat    in a sweep: the unit's content hash, the seed asked for, and which repeat this is;
                              `seed`, which the draw used, derives from prompt, run_seed and repeat
    median_centroid_percentile    of its steps; left out where they have none
    """

    kind: ClassVar[str] = "completion"
    sequence: int
    prompt: str
    prompt_token_ids: tuple[int, ...]
    temperature: Temperature
    seed: int
    token_ids: tuple[int, ...]
    text: str
    stop: Stop
    tokens_per_second: float | None
    mean_logprob: float | None
    mean_rank: float | None
    distinct: float | None
    mean_entropy: float | None = None
    longest_repeat: int | None = None
    non_ascii: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    unit: str | None = None
    run_seed: int | None = None
    repeat: int | None = None
    median_centroid_percentile: float | None = None

    def to_dict(self) -> Json:
        optional = {
            "unit": self.unit, "run_seed": self.run_seed, "repeat": self.repeat,
            "median_centroid_percentile": self.median_centroid_percentile,
        }  # fmt: skip
        return {
            "kind": self.kind, "sequence": self.sequence, "prompt": self.prompt,
            "prompt_token_ids": list(self.prompt_token_ids), "temperature": number(self.temperature.temperature),
            "beta": number(self.temperature.beta), "seed": self.seed, "token_ids": list(self.token_ids),
            "text": self.text, "stop": self.stop, "tokens_per_second": self.tokens_per_second,
            "mean_logprob": finite(self.mean_logprob), "mean_rank": self.mean_rank, "distinct": self.distinct,
            "mean_entropy": self.mean_entropy, "longest_repeat": self.longest_repeat, "non_ascii": self.non_ascii,
            "categories": dict(self.categories),
        } | _known(optional)  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Completion":
        return cls(
            line["sequence"], line["prompt"], tuple(line["prompt_token_ids"]),
            Temperature(float(line["temperature"]), float(line["beta"])), line["seed"], tuple(line["token_ids"]),
            line["text"], line["stop"], line["tokens_per_second"], line["mean_logprob"], line["mean_rank"],
            line["distinct"], line.get("mean_entropy"), line.get("longest_repeat"), line.get("non_ascii"),
            line.get("categories", {}), line.get("unit"), line.get("run_seed"), line.get("repeat"),
            line.get("median_centroid_percentile"),
        )  # fmt: skip


@record
@dataclass(frozen=True, slots=True)
class Failure:
    """One sequence that could not be generated, and why: one line for the user, as an error's own text is.

    unit, run_seed and repeat are those of `Completion`.
    """

    kind: ClassVar[str] = "error"
    sequence: int
    prompt: str
    temperature: Temperature
    seed: int
    reason: str
    unit: str | None = None
    run_seed: int | None = None
    repeat: int | None = None

    def to_dict(self) -> Json:
        of_sweep = {"unit": self.unit, "run_seed": self.run_seed, "repeat": self.repeat}
        return {
            "kind": self.kind, "sequence": self.sequence, "prompt": self.prompt,
            "temperature": number(self.temperature.temperature), "beta": number(self.temperature.beta),
            "seed": self.seed, "reason": self.reason,
        } | _known(of_sweep)  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Failure":
        return cls(
            line["sequence"], line["prompt"], Temperature(float(line["temperature"]), float(line["beta"])),
            line["seed"], line["reason"], line.get("unit"), line.get("run_seed"), line.get("repeat"),
        )  # fmt: skip
