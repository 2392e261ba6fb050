"""One record, one line of JSON: what a record is, the list of all kinds, and the way to a line and back.

JSON Lines are UTF-8 without NaN or Infinity: an impossible log-probability is null, an infinite temperature or beta
is the string "inf" or "-inf". Reading a line back gives an equal record. It leaves out how each field is written
(`codec`), and files and folders: `cli` and `runs` write.
"""

import functools
import html
import json
import re
from dataclasses import field
from typing import Any, ClassVar, TypeVar, dataclass_transform

from negtemp.errors import RecordError
from negtemp.printable import is_hostile, printable, printable_text
from negtemp.records.codec import Part, part

SCHEMA = 1

_LONGEST_CELL = 400

_UNUSUAL = re.compile("[^ -~]")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


_decode = json.JSONDecoder(parse_constant=_no_number).decode

R = TypeVar("R", bound=type[Any])
_KINDS: dict[str, list[type["Record"]]] = {}


class Record(Part):
    """One line: a frozen dataclass that `record` has made, whose `kind` names it in its line."""

    __slots__ = ()
    kind: ClassVar[str]

    def _repr_html_(self) -> str:
        """The fields as a table for a notebook, every value made safe; a long list by its beginning."""
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{name}</th>'
            f'<td style="text-align:left"><bdi>{_cell(value)}</bdi></td></tr>'
            for name, value in self.to_dict().items()
        )
        return f"<table>{rows}</table>"


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    shown = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
    return html.escape(printable_text(shown, keep=" "))


class TokenBytes:
    """A record of a token: `raw` holds its bytes, `piece` is their safe view. It adds no field of its own."""

    __slots__ = ()
    raw: bytes

    @property
    def piece(self) -> str:
        """The safe view of the token's bytes."""
        return printable(self.raw)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: R) -> R:
    """Class decorator: a frozen dataclass, its fields given by name; lines of its `kind` are read back as this class.

    Where classes share a kind, as the tokens of several commands do, `discriminator` names a field that only one has.
    """
    made = part(cls)
    _KINDS.setdefault(made.kind, []).append(made)
    return made


def to_line(record: Record) -> str:
    """One line of JSON without its newline; hostile characters, as of a prompt, stand in it as JSON's own escapes."""
    return safe_json(_encode(record.to_dict()))


def safe_json(line: str) -> str:
    """The same JSON, with hostile characters as its own escapes."""
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
        fields = _decode(line)
        classes = [cls for cls in _KINDS[fields["kind"]] if getattr(cls, "discriminator", "kind") in fields]
        return classes[0].from_dict(fields)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise RecordError(f"not a negtemp record ({type(error).__name__}: {error}): {line[:60]!r}") from error
