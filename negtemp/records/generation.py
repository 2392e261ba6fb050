"""The records of a generation.

    Header        once, first: what ran, on which model, by which engine, with which settings
    Step          one emitted token and what the model thought of it
    Completion    one finished sequence
    Failure       one sequence that could not be

`bytes` (hexadecimal) is the truth about a token; `piece` and `text` are the safe views that `printable` makes.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal

from negtemp.errors import RecordError
from negtemp.records.codec import Part, part
from negtemp.records.lines import SCHEMA, Record, TokenBytes, record
from negtemp.records.values import As, JsonObject, Known, LogProbability
from negtemp.theory.temperature import Temperature

Stop = Literal["length", "eog", "context"]


def _schema(value: Any) -> int:
    """Ours. Raises RecordError for another, before anything else of the line is read."""
    if type(value) is not int or value != SCHEMA:
        raise RecordError(f"records of schema {json.dumps(value)[:20]}; this negtemp reads schema {SCHEMA}: upgrade it")
    return value


@part
class ModelFile(Part):
    """The model that ran: its own name and description, the size of its vocabulary, its file and what identifies it.

    fingerprint_kind   what the fingerprint is of; None in records of negtemp 0.1.0, which took samples of one file
    reference          the name that led to the file, such as `hf:org/repo`; left out where a path was given
    revision           the commit or manifest that the name meant; left out where there is none
    """

    name: str
    description: str
    vocabulary: int
    file: str
    fingerprint: str
    fingerprint_kind: Known[str] = None
    reference: Known[str] = None
    revision: Known[str] = None


@part
class EngineBuild(Part):
    """The library that ran it: the version of llama-cpp-python, and its patches."""

    llama_cpp_python: str
    patches: tuple[str, ...]
    patched: bool


@record
class Header(Record):
    """The first line of every stream of records: enough to run it again. `settings` are the command's own."""

    kind: ClassVar[str] = "header"
    schema: Annotated[int, As(None, _schema)] = SCHEMA
    negtemp: str
    command: str
    model: ModelFile
    engine: EngineBuild
    settings: JsonObject


@record
class Step(TokenBytes, Record):
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
    logprob: LogProbability
    rank: int
    entropy: float
    gap: float
    sampled_logprob: LogProbability
    centroid_percentile: Known[float] = None


@record
class Completion(Record):
    """One finished sequence. The means are over its tokens and None where it has none.

    text               safe view of the emitted bytes, spaces and newlines as they are, end-of-generation token left out
    tokens_per_second  decodes per second between its first and last token; None for fewer than two tokens
    distinct           distinct tokens over tokens
    mean_entropy       of the model's own distributions at T = 1, nats
    longest_repeat     tokens in the longest block that occurs twice (`theory.coherence`)
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
    unit: Known[str] = None
    run_seed: Known[int] = None
    repeat: Known[int] = None
    median_centroid_percentile: Known[float] = None


@record
class Failure(Record):
    """One sequence that could not be generated, and why: one line for the user, as an error's own text is.

    unit, run_seed and repeat are those of `Completion`.
    """

    kind: ClassVar[str] = "error"
    sequence: int
    prompt: str
    temperature: Temperature
    seed: int
    reason: str
    unit: Known[str] = None
    run_seed: Known[int] = None
    repeat: Known[int] = None
