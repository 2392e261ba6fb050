"""Where each field of a GGUF file lies, so that a fuzzer can damage a length or a type and not only a random byte.

It reads what `negtemp/data/tiny.gguf` and its like hold: version 3, little-endian, arrays of anything but arrays. It
leaves out whether a file is sound.

Source: the GGUF specification (ggml, docs/gguf.md).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

STRING, ARRAY = 8, 9
# bytes of a value by its type; a string and an array say themselves
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
FLOAT_TYPES = (6, 12)


@dataclass(frozen=True, slots=True)
class Field:
    """Some bytes of the head that mean one thing; `kind` says what, such as `length`, `type` or `offset`."""

    kind: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Span:
    """One metadata entry or one tensor's description: its name, its bytes, the fields in it."""

    name: bytes
    start: int
    stop: int
    fields: tuple[Field, ...]
    type: int = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """The head of a file: metadata, tensors, and where the tensors' data begin."""

    metadata: tuple[Span, ...]
    tensors: tuple[Span, ...]
    data: int

    @property
    def fields(self) -> list[Field]:
        """Every field of the head, the header's counts first."""
        header = [Field("version", 4, 4), Field("count", 8, 8), Field("count", 16, 8)]
        return header + [field for span in (*self.metadata, *self.tensors) for field in span.fields]


class _Reader:
    """A cursor that notes the fields it passes."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.at = data, start
        self.fields: list[Field] = []

    def number(self, kind: str, form: str) -> int:
        size = struct.calcsize(form)
        self.fields.append(Field(kind, self.at, size))
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += size
        return int(value)

    def text(self, kind: str = "text") -> bytes:
        size = self.number("length", "<Q")
        self.fields.append(Field(kind, self.at, size))
        self.at += size
        return self.data[self.at - size : self.at]

    def value(self, kind: int) -> None:
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            item, count = self.number("type", "<I"), self.number("length", "<Q")
            for _ in range(count):
                self.value(item)
        else:
            self.fields.append(Field("real" if kind in FLOAT_TYPES else "value", self.at, WIDTHS[kind]))
            self.at += WIDTHS[kind]


def layout(path: Path) -> Layout:
    """The layout of a sound file."""
    data = path.read_bytes()
    tensors, metadata = struct.unpack_from("<QQ", data, 8)
    at, entries, alignment = 24, [], 32
    for _ in range(metadata):
        reader = _Reader(data, at)
        name = reader.text("name")
        kind = reader.number("type", "<I")
        reader.value(kind)
        entries.append(Span(name, at, reader.at, tuple(reader.fields), kind))
        at = reader.at
    described = []
    for _ in range(tensors):
        reader = _Reader(data, at)
        name = reader.text("name")
        for _ in range(reader.number("dimensions", "<I")):
            reader.number("dimension", "<Q")
        kind = reader.number("type", "<I")
        reader.number("offset", "<Q")
        described.append(Span(name, at, reader.at, tuple(reader.fields), kind))
        at = reader.at
    return Layout(tuple(entries), tuple(described), -(-at // alignment) * alignment)
