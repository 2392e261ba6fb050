"""How single values stand in the JSON of a record: figures, infinities, texts, objects of settings.

Numbers that JSON has not are null, or a word where they are a temperature. A value of another type is refused. It
leaves out records and their fields (`codec`).
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

from negtemp.printable import printable

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

Value = TypeVar("Value")

_LONGEST_VALUE = 40
OMITTED = "left out of the line where it is None"


class As(NamedTuple):
    """How a type stands in JSON, as in `Annotated[float, As(write, read)]`; a `write` of None leaves it as it is.

    `read` raises TypeError or ValueError for a value of another type.
    """

    write: Callable[[Any], Any] | None
    read: Callable[[Any], Any]


def finite(value: float | None) -> float | None:
    """A figure as JSON holds it: null where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float) -> float | str:
    """A temperature or beta as JSON holds it: infinities as "inf" and "-inf"."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _log(value: Any) -> float:
    return -math.inf if value is None else _float(value)


def read_extended(value: Any) -> float:
    found = float(value)
    if math.isnan(found):
        raise ValueError("NaN is no temperature")
    return found


def _float(value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) is not float and type(value) is not int:
        raise mistyped("a number", value)
    return value


def read_object(value: Any) -> Mapping[str, JsonValue]:
    if type(value) is not dict:
        raise mistyped("an object", value)
    json.dumps(value, allow_nan=False)  # 1e999 is read as infinite, and could not be written again
    return value


def exactly(kind: type, words: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise mistyped(words, value)
        return value

    return read


def mistyped(words: str, value: Any) -> TypeError:
    return TypeError(f"{printable(repr(value)[:_LONGEST_VALUE].encode('utf-8', 'replace'), keep=' ')} is not {words}")


LogProbability = Annotated[float, As(finite, _log)]
Extended = Annotated[float, As(number, read_extended)]
Known = Annotated[Value | None, OMITTED]
JsonObject = Annotated[Mapping[str, JsonValue], As(dict, read_object)]

PLAIN: Mapping[Any, As] = {
    int: As(None, exactly(int, "a whole number")),
    str: As(None, exactly(str, "a text")),
    bool: As(None, exactly(bool, "true or false")),
    float: As(finite, _float),
}
