"""What experiments yield and files hold: frozen records, one JSON line each.

    Header        once, first: what ran, on which model, by which engine, with which settings
    Step          one emitted token and what the model thought of it
    Completion    one finished sequence

JSON Lines are UTF-8 without NaN or Infinity: an impossible log-probability is null, an infinite temperature or beta
is the string "inf" or "-inf". `bytes` (hexadecimal) is the truth about a token; `piece` and `text` are the safe views
that `printable` makes. Reading a line back gives an equal record. It leaves out files and folders: `cli` writes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from negtemp.errors import RecordError
from negtemp.printable import is_hostile, printable
from negtemp.theory.temperature import Temperature

SCHEMA = 1

Stop = Literal["length", "eog", "context"]
Json = dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class Step:
    """One emitted token. logprob, rank and entropy are of the model's own distribution at T = 1, without any filter.

    raw              the token's bytes
    logprob          ln p of the token at T = 1, nats
    rank             tokens strictly more likely at T = 1; 0 = most likely
    entropy          of the whole distribution at T = 1, nats
    gap              nats between the two logits that this sign of T favours most among those that may be drawn
    sampled_logprob  ln of the probability it was drawn with, at this T and after every filter, nats
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

    @property
    def piece(self) -> str:
        """The safe view of the token's bytes."""
        return printable(self.raw)

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "sequence": self.sequence, "position": self.position, "token_id": self.token_id,
            "piece": self.piece, "bytes": self.raw.hex(), "logprob": _finite(self.logprob), "rank": self.rank,
            "entropy": self.entropy, "gap": self.gap, "sampled_logprob": _finite(self.sampled_logprob),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Step":
        return cls(
            line["sequence"], line["position"], line["token_id"], bytes.fromhex(line["bytes"]),
            _log(line["logprob"]), line["rank"], line["entropy"], line["gap"], _log(line["sampled_logprob"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished sequence. The means are over its tokens and None where it has none.

    text               safe view of the emitted bytes, spaces and newlines as they are, end-of-generation token left out
    tokens_per_second  decodes per second between its first and last token; None for fewer than two tokens
    distinct           distinct tokens over tokens
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

    def to_dict(self) -> Json:
        return {
            "kind": self.kind, "sequence": self.sequence, "prompt": self.prompt,
            "prompt_token_ids": list(self.prompt_token_ids), "temperature": number(self.temperature.temperature),
            "beta": number(self.temperature.beta), "seed": self.seed, "token_ids": list(self.token_ids),
            "text": self.text, "stop": self.stop, "tokens_per_second": self.tokens_per_second,
            "mean_logprob": _finite(self.mean_logprob), "mean_rank": self.mean_rank, "distinct": self.distinct,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, line: Json) -> "Completion":
        return cls(
            line["sequence"], line["prompt"], tuple(line["prompt_token_ids"]),
            Temperature(float(line["temperature"]), float(line["beta"])), line["seed"], tuple(line["token_ids"]),
            line["text"], line["stop"], line["tokens_per_second"], line["mean_logprob"], line["mean_rank"],
            line["distinct"],
        )  # fmt: skip


Record = Header | Step | Completion
_KINDS: dict[str, type[Header] | type[Step] | type[Completion]] = {
    record.kind: record for record in (Header, Step, Completion)
}


def to_line(record: Record) -> str:
    """One line of JSON without its newline; hostile characters, as of a prompt, stand in it as JSON's own escapes."""
    line = json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False)
    if line.isascii() and line.isprintable():
        return line
    return "".join(json.dumps(c)[1:-1] if is_hostile(c) else c for c in line)


def from_line(line: str) -> Record:
    """The record of one line. Raises RecordError naming what is wrong with it."""
    try:
        fields = json.loads(line)
        return _KINDS[fields["kind"]].from_dict(fields)
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"not a negtemp record ({type(error).__name__}: {error}): {line[:60]!r}") from error


def number(value: float) -> float | str:
    """A temperature or beta as JSON holds it: infinities as "inf" and "-inf"."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _log(value: float | None) -> float:
    return -math.inf if value is None else value
