"""What the page asks, read from JSON: token ids, temperatures, counts, each checked before anything is computed.

Everything that comes in is a stranger's until it is one of these values. It leaves out who may ask (`guard`).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from negtemp.errors import UsageError
from negtemp.model.engine.request import check_seed
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.theory.temperature import Temperature

MOST_BYTES = 4 << 20
_MOST_TOKENS = 4096
_MOST_SEQUENCES = 8


@dataclass(frozen=True, slots=True)
class Draw:
    """Tokens to draw: after a root and what was drawn from it so far, at one temperature or at several."""

    root: tuple[int, ...]
    drawn: tuple[int, ...]
    at: tuple[Temperature, ...]
    seed: int
    count: int


def body(data: bytes) -> Mapping[str, Any]:
    """The JSON object in a request. Raises UsageError."""
    try:
        found = json.loads(data)
    except ValueError:
        raise UsageError("the request is no JSON") from None
    if not isinstance(found, dict):
        raise UsageError("the request is no JSON object")
    return found


def text(asked: Mapping[str, Any]) -> str:
    """The text to tokenize. Raises UsageError."""
    given = asked.get("text")
    if not isinstance(given, str):
        raise UsageError("`text` is no text")
    return given


def token_ids(asked: Mapping[str, Any], name: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The token ids of this name. Raises UsageError, and ModelError for one that does not exist."""
    given = asked.get(name)
    if not isinstance(given, list) or not all(type(one) is int for one in given):
        raise UsageError(f"`{name}` is no list of token ids")
    for one in given:
        if not 0 <= one < vocabulary.size:
            vocabulary.piece(one)  # raises the one error that there is for this
    return tuple(given)


def draw(asked: Mapping[str, Any], vocabulary: Vocabulary) -> Draw:
    """What to draw. Raises UsageError and ModelError."""
    betas = asked.get("betas")
    if not isinstance(betas, list) or not 1 <= len(betas) <= _MOST_SEQUENCES:
        raise UsageError(f"`betas` is no list of 1 to {_MOST_SEQUENCES} inverse temperatures")
    return Draw(
        root=token_ids(asked, "root", vocabulary),
        drawn=token_ids(asked, "drawn", vocabulary),
        at=tuple(Temperature.of_beta(_beta(one)) for one in betas),
        seed=check_seed(_whole(asked, "seed")),
        count=_count(asked),
    )


def _beta(given: Any) -> float:
    """A number, or `"inf"` and `"-inf"`, which JSON has no numbers for, as records write them."""
    if given in ("inf", "-inf"):
        return float(given)
    if type(given) not in (int, float) or not math.isfinite(given):
        raise UsageError("an inverse temperature is no number")
    return float(given)


def _whole(asked: Mapping[str, Any], name: str) -> int:
    given = asked.get(name)
    if type(given) is not int:
        raise UsageError(f"`{name}` is no whole number")
    return given


def _count(asked: Mapping[str, Any]) -> int:
    given = _whole(asked, "count")
    if not 1 <= given <= _MOST_TOKENS:
        raise UsageError(f"`count` is {given}; ask for 1 to {_MOST_TOKENS} tokens")
    return given
