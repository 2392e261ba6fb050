"""Bytes in any encoding to UTF-8, a chunk of whole characters at a time.

Without a name of an encoding, a byte order mark says which it is, and without a mark it is UTF-8 (JSON may also be
UTF-16 or UTF-32 without a mark: its first two characters tell, RFC 4627, section 3). A mark is taken off. Bytes that
are not of the encoding are refused with the offset of the first; `Replaced` takes them in UTF-8 instead, as U+FFFD,
and remembers their lines. A zero byte near the beginning is refused as well: such a file is no text, or UTF-16.
It leaves out guessing an encoding from the letters.
"""

import codecs
import difflib
import encodings.aliases
import json
import re
from collections.abc import Iterator
from typing import Protocol

from negtemp.errors import EncodingError, UsageError
from negtemp.printable import printable, printable_text
from negtemp.texts.inputs import Peekable

UTF_8 = "utf-8"

_CHUNK = 1 << 21
_HEAD = 1 << 16
_MARK = "\ufeff".encode()
# UTF-32 before UTF-16, whose mark is the beginning of the other's
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# Python calls these encodings of text as well
_NO_TEXT = {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_SURROGATES = re.compile("[\ud800-\udfff]")


class Lines(Protocol):
    """Whoever wants to hear of lines that were not read as they should be."""

    def note(self, line: int) -> None: ...


def known(name: str) -> str:
    """The name of an encoding as Python spells it. Raises UsageError, with the nearest name, for another."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        raise UsageError(f"{_quoted(name)} is no known encoding; {_suggestion(name)}") from None
    if found.name in _NO_TEXT or not getattr(found, "_is_text_encoding", True):
        raise UsageError(f"{_quoted(name)} is no encoding of files of text; {_suggestion('')}")
    return found.name


def _quoted(name: str) -> str:
    return repr(printable_text(name, keep=" "))


def _suggestion(name: str) -> str:
    names = {**encodings.aliases.aliases, **{value: value for value in encodings.aliases.aliases.values()}}
    near = difflib.get_close_matches(
        name.lower().replace("-", "_").replace(" ", "_"), sorted(one for one in names if len(one) > 3), n=1
    )
    return f"did you mean {near[0].replace('_', '-')}?" if near else "such as utf-16, latin-1, cp1252 or shift-jis"


def detected(head: bytes, maybe_json: bool) -> str:
    """The encoding that the first bytes speak for: by a mark, or where it may be JSON by its zero bytes."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    return marked or (json.detect_encoding(head[:4]) if maybe_json else UTF_8)


def chunks(stream: Peekable, name: str, encoding: str, replaced: Lines | None = None) -> Iterator[bytes]:
    """The stream as UTF-8. Raises EncodingError where it is not of the encoding."""
    decoded = _utf_8(stream, name, replaced) if encoding == UTF_8 else _other(stream, name, encoding)
    first = next(decoded, b"").removeprefix(_MARK)
    zero = first[:_HEAD].find(b"\0") if replaced is None else -1
    if zero >= 0:
        raise EncodingError(_zero(name, encoding, zero, first))
    yield first
    yield from decoded


def _zero(name: str, encoding: str, zero: int, first: bytes) -> str:
    guess = json.detect_encoding(first[:4])
    hint = f"; it may be {guess}" if guess != encoding else ""
    where = f"a zero byte at offset {zero}" if encoding == UTF_8 else "a zero character"
    return f"{name} is not {encoding.upper()} text: it holds {where}{hint}"


def _utf_8(stream: Peekable, name: str, replaced: Lines | None) -> Iterator[bytes]:
    rest, offset, line = b"", 0, 1
    while True:
        piece = stream.read(_CHUNK)
        data = rest + piece
        try:
            used = len(data) if data.isascii() else codecs.utf_8_decode(data, "strict", not piece)[1]
        except UnicodeDecodeError as error:
            if replaced is None:
                raise _refused(name, UTF_8, data, error.start, offset) from None
            used = codecs.utf_8_decode(data, "replace", not piece)[1]
            yield _replace(data[:used], line, replaced)
        else:
            yield data[:used]
        line += data.count(b"\n", 0, used) if replaced is not None else 0
        rest, offset = data[used:], offset + used
        if not piece:
            return


def _replace(data: bytes, line: int, replaced: Lines) -> bytes:
    for number, one in enumerate(data.split(b"\n"), start=line):
        try:
            one.decode()
        except UnicodeDecodeError:
            replaced.note(number)
    return data.decode(errors="replace").encode()


def _other(stream: Peekable, name: str, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    fed = 0
    while True:
        piece = stream.read(_CHUNK)
        fed += len(piece)
        try:
            text = decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            raise _refused(name, encoding, error.object, error.start, fed - len(error.object)) from None
        except UnicodeError as error:
            reason = printable(str(error).encode("utf-8", "replace"), keep=" '\"")
            raise EncodingError(f"{name} is not {encoding.upper()} text: {reason}") from None
        yield utf_8(text)
        if not piece:
            return


def utf_8(text: str) -> bytes:
    """A text as bytes; half of a surrogate pair, which none can be, as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode()


def _refused(name: str, encoding: str, data: bytes, start: int, offset: int) -> EncodingError:
    return EncodingError(f"{name} is not {encoding.upper()} text: byte 0x{data[start]:02x} at offset {offset + start}")
