"""The strings of JSON, names of fields left out, however it is laid out: an array, a value a line, pretty-printed.

No line feed may stand in a string of JSON, so lines are read apart: the quotes of a line tell its strings, and one
followed by a colon is a name. Brackets need not be matched for that, and a value may be gigabytes long. A line with
anything else outside of its strings than JSON allows, an odd quote, or an unknown escape, is not JSON; its number
is noted, and its texts are what stands between its quotes, names among them, and what stands outside.

Half of a surrogate pair is U+FFFD (WHATWG, Encoding, section 4.1). A name of more than 2 MiB is taken for a value. It
leaves out numbers, and whether brackets and commas are where they should be.

ijson and its like build every value, stop at the first fault and know no line numbers; bytes.split and one call of
`json` for a block of strings are also some ten times faster. Source: RFC 8259, section 7.
"""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence

import numpy as np

from negtemp.texts.blocks import LONGEST_TEXT, Block
from negtemp.texts.encodings import Lines, utf_8

SEPARATOR = b"\xff"  # in no text of UTF-8

_decode = json.JSONDecoder(strict=False).decode
# two bytes each, which no UTF-8 holds, for two: offsets stay
_BACKSLASH, _QUOTE = b"\xf8\xf8", b"\xf9\xf9"
# a byte order mark, where files were joined; a record separator (RFC 7464)
_SPACE = rb"[\s\x1e]|\xef\xbb\xbf"
_OUTSIDE = re.compile(
    rb"(?>(?:" + _SPACE + rb"|[\[\]{},:])++|(?:-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN"
    rb"|-?Infinity)(?=[\s\x1e\[\]{},:]|$))*+"
)
_OF_NUMBERS = re.compile(rb"[-+.eE]")
_COLON = re.compile(rb"(?:" + _SPACE + rb")*:")
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"|\\?$)', re.DOTALL)
_ESCAPE = re.compile(rb'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
_NAME, _VALUE, _JUNK = range(3)
_MEMORY, _LONGEST_REMEMBERED = 1 << 12, 64
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")
_ESCAPED = 6  # bytes of one escape; a surrogate pair has two
_LONGEST_ESCAPE = 2 * _ESCAPED

Texts = tuple[list[bytes], list[int]]


class _Outside(dict[bytes, int]):
    """What stands behind a string, to what that makes of the string."""

    def __missing__(self, part: bytes) -> int:
        # most differ in their numbers only
        shape = part.translate(None, b"0123456789")
        if len(shape) < len(part) and not _OF_NUMBERS.search(shape):
            return self[shape]
        made = _JUNK if not _OUTSIDE.fullmatch(part) else _NAME if _COLON.match(part) else _VALUE
        if len(part) <= _LONGEST_REMEMBERED:
            if len(self) >= _MEMORY:
                self.clear()
            self[part] = made
        return made


class JsonStrings:
    """Reads one stream; `line` is the number of the line that it has come to."""

    def __init__(self, unread: Lines) -> None:
        self._unread = unread
        self._outside = _Outside()
        self.line = 1

    def blocks(self, chunks: Iterable[bytes]) -> Iterator[Block]:
        """Every string a text. The chunks are UTF-8, of whole characters."""
        chunks = iter(chunks)
        rest = b""
        for chunk in chunks:
            rest += chunk
            ready = _ready(rest)
            if ready:
                yield self._block(rest[:ready])
                rest = rest[ready:]
            if len(rest) > LONGEST_TEXT and _is_open_string(rest):
                rest = yield from self._long_string(rest[1:], chunks)
        if rest:
            yield self._block(rest)

    def _block(self, data: bytes) -> Block:
        """The strings of whole lines, or of a part of a line that ends outside of strings."""
        texts, lines = self._all_json(data, self.line) or self._line_by_line(data)
        self.line += data.count(b"\n")
        return Block(SEPARATOR.join(texts), SEPARATOR, lines)

    def _all_json(self, data: bytes, line: int) -> Texts | None:
        """The strings of data that is all JSON, and their lines; None where some of it is not."""
        parts = _masked(data).split(b'"')
        kinds = [self._outside[part] for part in parts[::2]]
        if len(parts) % 2 == 0 or _JUNK in kinds or b"\n" in b"".join(parts[1::2]):
            return None
        ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts))) + np.arange(len(parts))
        values = np.flatnonzero(np.array(kinds[1:], bool))
        starts, stops = ends[2 * values] + 1, ends[2 * values + 1]
        texts = _unescaped([data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)])
        newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        return None if texts is None else (texts, (line + np.searchsorted(newlines, starts)).tolist())

    def _line_by_line(self, data: bytes) -> Texts:
        texts: list[bytes] = []
        lines: list[int] = []
        for number, line in enumerate(data.split(b"\n"), start=self.line):
            found = self._all_json(line, number)
            if found is None:
                self._unread.note(number)
            strings = _torn(line) if found is None else found[0]
            texts += strings
            lines += [number] * len(strings)
        return texts, lines

    def _long_string(self, data: bytes, chunks: Iterator[bytes]) -> Generator[Block, None, bytes]:
        """A string of any length, from behind its first quote on; returns what follows it."""
        continues = False
        while (stop := _end_of_string(data)) == len(data):
            ready = _before_escape(data)
            yield Block(self._text(data[:ready]), SEPARATOR, [self.line], continues, True)
            continues, chunk = True, next(chunks, b"")
            data = data[ready:] + chunk
            if not chunk:
                break
        yield Block(self._text(data[:stop]), SEPARATOR, [self.line], continues)
        if data[stop : stop + 1] == b'"':
            return data[stop + 1 :]
        self._unread.note(self.line)
        return data[stop:]

    def _text(self, string: bytes) -> bytes:
        text = _unescaped([string])
        if text is None:
            self._unread.note(self.line)
        return _lenient(string) if text is None else text[0]


def _masked(data: bytes) -> bytes:
    """The data with escaped backslashes and quotes out of the way."""
    return data.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE) if b"\\" in data else data


def _ready(data: bytes) -> int:
    """How much can be read: whole lines; of a long line what ends before a string that may go on."""
    whole = data.rfind(b"\n") + 1
    alone = len(data[:whole].rstrip())
    if whole - alone < LONGEST_TEXT and data[alone - 1 : alone] == b'"':
        # a colon on the next line would make it a name
        whole = data.rfind(b"\n", 0, alone) + 1
    if whole or len(data) <= LONGEST_TEXT:
        return whole
    masked = _masked(data)
    last = masked.rfind(b'"')
    if masked.count(b'"') % 2:
        return last
    before = masked.rfind(b'"', 0, max(last, 0))
    comma = masked.rfind(b",", last + 2)
    return before if before > 0 else comma if comma > 0 else len(data)


def _is_open_string(data: bytes) -> bool:
    return data.startswith(b'"') and _masked(data).count(b'"') == 1


def _end_of_string(data: bytes) -> int:
    """Where the string ends in whose middle the data begins: at a quote or, torn, at a line feed."""
    quote, newline = _masked(data).find(b'"'), data.find(b"\n")
    return min((place for place in (quote, newline) if place >= 0), default=len(data))


def _unescaped(strings: Sequence[bytes]) -> list[bytes] | None:
    """Strings as the texts that they are written for; None where an escape is none."""
    joined = b'","'.join(strings)
    if not strings or b"\\" not in joined:
        return list(strings)
    try:
        texts = _decode('["' + joined.decode() + '"]')
    except ValueError:
        return None
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:
        return [utf_8(text) for text in texts]


def _lenient(string: bytes) -> bytes:
    """A string as the text that it is written for, what is no escape left as it is."""
    mended = _ESCAPE.sub(lambda escape: escape[0] if escape[1] else b"\\\\", string)
    return utf_8(_decode('"' + mended.decode() + '"'))


def _torn(line: bytes) -> list[bytes]:
    """The texts of a line that is no JSON."""
    texts: list[bytes] = []
    start = 0
    for string in _STRING.finditer(line):
        texts += [*_outside(line[start : string.start()]), _lenient(string[1])]
        start = string.end()
    return [*texts, *_outside(line[start:])]


def _outside(part: bytes) -> list[bytes]:
    """What stands outside of strings, where it is no JSON."""
    return [] if _OUTSIDE.fullmatch(part) else [part]


def _before_escape(data: bytes) -> int:
    """Where the part of a string ends that cannot be in the middle of an escape."""
    escape = _masked(data).find(b"\\", max(0, len(data) - _LONGEST_ESCAPE))
    if escape < 0:
        return len(data)
    return escape - _ESCAPED if _HIGH_SURROGATE.fullmatch(data[max(0, escape - _ESCAPED) : escape]) else escape


def begins_json(head: bytes) -> bool:
    """Whether the first bytes of something are those of JSON objects or arrays, and not of other text."""
    start = head.lstrip()
    parts = _masked(start[: start.rfind(b'"') + 1]).split(b'"')
    return start[:1] in (b"{", b"[") and len(parts) > 1 and all(map(_OUTSIDE.fullmatch, parts[:-1:2]))
