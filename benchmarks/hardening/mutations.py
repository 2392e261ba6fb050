"""One damaged copy of a GGUF file for each seed: bits, lengths, types, cuts, inserts, keys and tensors, weights.

A seed names a mutation for good: the same seed and file give the same bytes. Damage to the frame of a file (lengths,
types, offsets, cuts) is nearly always refused by the parser; so most damage is to what lies behind it, values that a
sound frame holds: hyperparameters, token types and scores, names, keys, shapes, weights.
"""

import random
import struct
from collections.abc import Callable
from pathlib import Path

from hardening.gguf_bytes import Field, Layout, Span, layout

_LIMITS = (0, 1, 2, 3, 7, 8, 31, 32, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63, 2**64 - 1)
_REALS = (0.0, -0.0, -1.0, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
_TEXTS = (b"", b"\0", b"\xff\xfe", b"a" * 5000, b"../../etc/passwd", b"\x1b[31m", b"{{ 1/0 }}", b"%s%n", "é▁".encode())

Mutator = Callable[[bytearray, Layout, random.Random], str]


class Damaged:
    """Copies of one model, each by its seed."""

    def __init__(self, source: Path) -> None:
        self._data, self._layout = source.read_bytes(), layout(source)

    def write(self, seed: int, path: Path) -> str:
        """Write the copy of this seed; what was done to it, in words."""
        rng = random.Random(seed)
        data = bytearray(self._data)
        done = []
        for mutator in _chosen(rng):
            done.append(self._done(mutator, data, rng))
        path.write_bytes(data)
        return "; ".join(done)

    def _done(self, mutator: Mutator, data: bytearray, rng: random.Random) -> str:
        try:
            return mutator(data, self._layout, rng)
        except (IndexError, StopIteration):  # a later part of a split model has no such keys
            return _bits(data, self._layout, rng)


def _chosen(rng: random.Random) -> list[Mutator]:
    """What to do to one copy: a third are damaged in their frame, a sixth in their keys, the rest in their values."""
    kind = rng.randrange(6)
    if kind < 2:
        return rng.choices(_FRAME, k=1)
    values = rng.choices(_MEANING, k=rng.choice((1, 1, 2, 3)))
    return values if kind < 5 else [*values[:-1], rng.choice(_KEYS)]


def _bits(data: bytearray, head: Layout, rng: random.Random) -> str:
    end = rng.choice((64, head.metadata[0].stop, head.data, head.data, len(data)))
    places = [rng.randrange(end) for _ in range(rng.choice((1, 1, 2, 8)))]
    for place in places:
        data[place] ^= 1 << rng.randrange(8)
    return f"bits at {places}"


def _field(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A number of the frame set to where readers go wrong."""
    kind = rng.choice(("count", "length", "length", "type", "dimensions", "dimension", "offset"))
    return _set(data, rng, rng.choice([field for field in head.fields if field.kind == kind]))


def _value(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A whole number of the metadata: one of the entries' own, or of a list, such as a token's type."""
    span = rng.choice([span for span in head.metadata if any(field.kind == "value" for field in span.fields)])
    return f"{span.name.decode()}: {_set(data, rng, rng.choice([f for f in span.fields if f.kind == 'value']))}"


def _real(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A real number of the metadata, or each of a list, such as all tokens' scores."""
    span = rng.choice([span for span in head.metadata if any(field.kind == "real" for field in span.fields)])
    fields, value = [field for field in span.fields if field.kind == "real"], rng.choice(_REALS)
    for field in fields if rng.random() < 0.5 else fields[:1]:
        struct.pack_into("<f" if field.size == 4 else "<d", data, field.start, value)
    return f"{span.name.decode()} = {value}"


def _set(data: bytearray, rng: random.Random, field: Field) -> str:
    old = int.from_bytes(data[field.start : field.start + field.size], "little")
    number = rng.choice((*_LIMITS, old + 1, old - 1, old * 2, rng.getrandbits(8 * field.size)))
    return _set_to(data, field, number)


def _hyperparameter(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A whole number that the architecture or the tokenizer is built from."""
    span = rng.choice([span for span in head.metadata if span.type in (4, 5, 6, 7)])
    field = span.fields[-1]
    number = rng.choice(_LIMITS) % (1 << 8 * field.size)
    data[field.start : field.start + field.size] = number.to_bytes(field.size, "little")
    return f"{span.name.decode()} = {number}"


def _string(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A name or a text overwritten in its place."""
    span = rng.choice((*head.metadata, *head.tensors))
    field = rng.choice([field for field in span.fields if field.kind in ("text", "name") and field.size])
    text = (rng.choice(_TEXTS) or b"\0") * field.size
    data[field.start : field.start + field.size] = text[: field.size]
    return f"text at {field.start} = {text[: min(field.size, 12)]!r}"


def _token(data: bytearray, head: Layout, rng: random.Random) -> str:
    """The texts of some tokens replaced by bytes of the same length."""
    tokens = next(span for span in head.metadata if span.name == b"tokenizer.ggml.tokens")
    texts = [field for field in tokens.fields if field.kind == "text" and field.size]
    for field in rng.sample(texts, rng.choice((1, 20))):
        data[field.start : field.start + field.size] = rng.choice((rng.randbytes(field.size), bytes(field.size)))
    return "tokens of random bytes"


def _resized(data: bytearray, head: Layout, rng: random.Random) -> str:
    """A tensor's dimensions exchanged, halved or doubled, or its type another of the same rank."""
    span = rng.choice(head.tensors)
    dimensions = [field for field in span.fields if field.kind == "dimension"]
    if rng.random() < 0.3:
        kind = next(field for field in span.fields if field.kind == "type")
        return f"{span.name.decode()}: {_set_to(data, kind, rng.choice((0, 1, 2, 3, 6, 8, 10, 12, 14, 20, 24, 30)))}"
    field = rng.choice(dimensions)
    old = int.from_bytes(data[field.start : field.start + 8], "little")
    return f"{span.name.decode()}: {_set_to(data, field, rng.choice((0, 1, old // 2, old - 32, old + 32, old * 2)))}"


def _set_to(data: bytearray, field: Field, number: int) -> str:
    number %= 1 << 8 * field.size
    data[field.start : field.start + field.size] = number.to_bytes(field.size, "little")
    return f"{field.kind} at {field.start} = {number}"


def _same_token(data: bytearray, head: Layout, rng: random.Random) -> str:
    """Many tokens of one text."""
    tokens = next(span for span in head.metadata if span.name == b"tokenizer.ggml.tokens")
    texts = [field for field in tokens.fields if field.kind == "text" and field.size == 4]
    for field in rng.sample(texts, min(len(texts), 200)):
        data[field.start : field.start + 4] = b"same"
    return "200 tokens of one text"


def _weights(data: bytearray, head: Layout, rng: random.Random) -> str:
    """Random bytes in place of weights: scales that are infinite or no number among them."""
    start = rng.randrange(head.data, len(data))
    size = rng.choice((2, 34, 4096, 1 << 20))
    filling = rng.choice((b"\xff", b"\0", b"\x00\x7c", b"\x00\x7e", rng.randbytes(256)))
    part = (filling * size)[: min(size, len(data) - start)]
    data[start : start + len(part)] = part
    return f"{len(part)} bytes of weights at {start}"


def _cut(data: bytearray, head: Layout, rng: random.Random) -> str:
    end = rng.choice((rng.randrange(64), rng.randrange(head.data), rng.randrange(head.data), rng.randrange(len(data))))
    del data[end:]
    return f"cut at {end}"


def _insert(data: bytearray, head: Layout, rng: random.Random) -> str:
    place = rng.randrange(rng.choice((24, head.data, len(data))))
    size = rng.choice((1, 4, 8, 32, 4096))
    data[place:place] = rng.choice((bytes(size), rng.randbytes(size)))
    return f"{size} bytes inserted at {place}"


def _remove(data: bytearray, head: Layout, rng: random.Random) -> str:
    place = rng.randrange(rng.choice((24, head.data, len(data))))
    size = rng.choice((1, 4, 8, 32, 4096))
    del data[place : place + size]
    return f"{size} bytes removed at {place}"


def _spans(data: bytearray, head: Layout, rng: random.Random) -> tuple[Span, int]:
    """A metadata entry or a tensor, and where the file counts them."""
    spans, count = rng.choice(((head.metadata, 16), (head.tensors, 8)))
    return rng.choice(spans), count


def _recount(data: bytearray, place: int, by: int) -> None:
    (old,) = struct.unpack_from("<Q", data, place)
    struct.pack_into("<Q", data, place, (old + by) % (1 << 64))


def _repad(data: bytearray, head: Layout, moved: int) -> None:
    """Keep the tensors' data at a multiple of the alignment after `moved` bytes came or went before them."""
    before = max((*head.metadata, *head.tensors), key=lambda span: span.stop).stop + moved
    data[before : head.data + moved] = bytes(-before % 32)


def _twice(data: bytearray, head: Layout, rng: random.Random) -> str:
    span, count = _spans(data, head, rng)
    data[span.stop : span.stop] = data[span.start : span.stop]
    _recount(data, count, 1)
    _repad(data, head, span.stop - span.start)
    return f"{span.name.decode()} twice"


def _missing(data: bytearray, head: Layout, rng: random.Random) -> str:
    span, count = _spans(data, head, rng)
    del data[span.start : span.stop]
    _recount(data, count, -1)
    _repad(data, head, span.start - span.stop)
    return f"{span.name.decode()} missing"


def _swapped(data: bytearray, head: Layout, rng: random.Random) -> str:
    """The header's numbers in the other byte order."""
    for start, size in ((4, 4), (8, 8), (16, 8)):
        data[start : start + size] = data[start : start + size][::-1]
    return "header of the other byte order"


_FRAME: tuple[Mutator, ...] = (_bits, _field, _field, _cut, _insert, _remove, _swapped)
_MEANING: tuple[Mutator, ...] = (
    _hyperparameter, _hyperparameter, _hyperparameter, _value, _value, _real, _string, _token, _same_token, _weights,
    _weights, _resized,
)  # fmt: skip
# these move what follows, so that at most one is done, and last
_KEYS: tuple[Mutator, ...] = (_twice, _missing, _missing)
