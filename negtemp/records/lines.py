"""One record, one line of JSON: what a record is, the list of all kinds, and the way to a line and back.

JSON Lines are UTF-8 without NaN or Infinity: an impossible log-probability is null, an infinite temperature or beta
is the string "inf" or "-inf". Reading a line back gives an equal record. It leaves out files and folders: `cli` and
`runs` write.
"""

import functools
import json
import math
import re
from typing import Any, ClassVar, Protocol, TypeVar

from negtemp.errors import RecordError
from negtemp.printable import is_hostile, printable

SCHEMA = 1

_UNUSUAL = re.compile("[^ -~]")

Json = dict[str, Any]


class Record(Protocol):
    """A frozen dataclass whose `kind` names it in its line."""

    kind: ClassVar[str]

    def to_dict(self) -> Json: ...


class Readable(Record, Protocol):
    """A record that can be read back."""

    @classmethod
    def from_dict(cls, line: Json) -> "Readable": ...


R = TypeVar("R", bound=type[Any])
_KINDS: dict[str, list[type[Readable]]] = {}


def record(cls: R) -> R:
    """Class decorator: lines of this `kind` are read back as this class.

    Where classes share a kind, as the tokens of several commands do, `told_by` names a field that only this one has.
    """
    _KINDS.setdefault(cls.kind, []).append(cls)
    return cls


def to_line(record: Record) -> str:
    """One line of JSON without its newline; hostile characters, as of a prompt, stand in it as JSON's own escapes."""
    line = json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False)
    if line.isascii() and line.isprintable():
        return line
    return _UNUSUAL.sub(lambda found: _escaped(found[0]), line)


@functools.lru_cache(4096)
def _escaped(character: str) -> str:
    """A character as it may stand in a line."""
    return json.dumps(character)[1:-1] if is_hostile(character) else character


def from_line(line: str) -> Record:
    """The record of one line. Raises RecordError naming what is wrong with it."""
    try:
        fields = json.loads(line)
        classes = [cls for cls in _KINDS[fields["kind"]] if getattr(cls, "told_by", "kind") in fields]
        return classes[0].from_dict(fields)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise RecordError(f"not a negtemp record ({type(error).__name__}: {error}): {line[:60]!r}") from error


def number(value: float) -> float | str:
    """A temperature or beta as JSON holds it: infinities as "inf" and "-inf"."""
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def finite(value: float | None) -> float | None:
    """A figure as JSON holds it: null where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


def log(value: float | None) -> float:
    """A log-probability read back: null is -inf."""
    return -math.inf if value is None else value


class TokenBytes:
    """A record of a token: `raw` holds its bytes, `piece` is their safe view. It adds no field of its own."""

    __slots__ = ()
    raw: bytes

    @property
    def piece(self) -> str:
        """The safe view of the token's bytes."""
        return printable(self.raw)
