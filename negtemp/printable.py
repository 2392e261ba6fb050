"""Any bytes to text that is safe to show, and back again by eye.

Below zero a model emits control characters, halves of UTF-8 characters, bidirectional overrides and letters that no
font draws. The truth is the token id and its bytes; what this module makes is a view of them, in which

- a byte that is no valid UTF-8 is `\\xe6`, a backslash is doubled, newline, return and tab are `\\n`, `\\r`, `\\t`;
- every character of the Unicode categories C (controls, formats, private, unassigned) and Z (separators) other than
  the space, and the letters and marks that are invisible all the same, is `\\u202e` or `\\U000e0041`;
- a space is `␠`, unless the caller keeps it; a combining mark with no letter before it stands on a dotted circle `◌`.

Different bytes never give the same text: every escape begins with a backslash, real backslashes are doubled, and the
two marks that this module adds are themselves escaped where a token holds them. It leaves out
colour and column width, which are the views' work. The list of invisible letters follows Unicode's
Default_Ignorable_Code_Point (DerivedCoreProperties, section "Default_Ignorable_Code_Point").
"""

import os
import re
import unicodedata
from collections.abc import Iterator

SPACE_MARK = "␠"
DOTTED_CIRCLE = "◌"

# most tokens: ASCII that stands as it is, the space apart
_PLAIN = re.compile(rb"[ -\[\]-~]*")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
# our own two marks first, then what a category test misses
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\ufffd"
_VARIATION_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_ALWAYS_ESCAPED = frozenset(SPACE_MARK + DOTTED_CIRCLE + _INVISIBLE) | {
    chr(code) for selectors in _VARIATION_SELECTORS for code in selectors
}

# in a message: spaces are spaces, and what `printable` has made is there already
_STAYS = frozenset(" \\" + SPACE_MARK + DOTTED_CIRCLE)

Run = tuple[str, bool]


def printable(data: bytes, keep: str = "") -> str:
    """The safe view of `data`; characters in `keep` (such as space and newline) stay as they are.

    >>> printable(b" caf\\xc3\\xa9\\xff")
    '␠café\\\\xff'
    """
    if _PLAIN.fullmatch(data):
        text = data.decode("ascii")
        return text if " " in keep else text.replace(" ", SPACE_MARK)
    return "".join(text for text, _ in runs(data, keep))


def encoded(text: str) -> bytes:
    """The bytes of a text that may hold what is no character: a command line's bytes, or half of a pair in JSON."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def printable_text(text: str, keep: str = "") -> str:
    """The safe view of such a text."""
    return printable(encoded(text), keep)


def printable_path(path: "str | os.PathLike[str]") -> str:
    """The safe view of a file's name, which may hold any bytes; spaces stay."""
    return printable(os.fsencode(path), keep=" ")


def runs(data: bytes, keep: str = "") -> Iterator[Run]:
    """The safe view as (text, is_escape) pieces, so that a view can style what is not the text itself."""
    text = data.decode("utf-8", errors="surrogateescape")
    pending = ""
    for character in text:
        baseless = not pending or pending[-1] in keep
        escaped = _escape(character, keep, baseless)
        if escaped is None:
            pending += character
            continue
        if pending:
            yield pending, False
            pending = ""
        yield escaped, True
    if pending:
        yield pending, False


def _escape(character: str, keep: str, baseless: bool) -> str | None:
    """What to show instead of one character, or None where it may stand as it is."""
    if character in keep:
        return None
    if character == " ":
        return SPACE_MARK
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if is_hostile(character):
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    if baseless and unicodedata.category(character)[0] == "M":
        return DOTTED_CIRCLE + character
    return None


def to_ascii(shown: str) -> str:
    """A safe view in ASCII: letters beyond it as `\\u00e9`, never as `\\xe9`, which is a byte.

    >>> to_ascii(printable(b"caf\\xc3\\xa9\\xff"))
    'caf\\\\u00e9\\\\xff'
    """
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in shown)


def escape_hostile(text: str, keep: str = "") -> str:
    """A message with every hostile character, line breaks among them, as its escape; those in `keep` stay.

    Backslashes and the two marks stay too, so what `printable` made comes out unchanged. Unlike `printable` this is not
    injective: it is for prose, where a path or a value is quoted, and not for tokens.

    >>> escape_hostile("no file \x1b[31mred\n")
    'no file \\u001b[31mred\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or c in _STAYS else _escape(c, keep, False) or c for c in text)


def is_hostile(character: str) -> bool:
    """Whether a character, other than the space, would be invisible, move the cursor or reorder its neighbours."""
    if character == " ":
        return False
    return unicodedata.category(character)[0] in "CZ" or character in _ALWAYS_ESCAPED


def split_partial(data: bytes) -> tuple[bytes, bytes]:
    """Cut `data` before an unfinished UTF-8 character at its end: (what can be shown now, what must wait).

    >>> split_partial(b"caf\\xc3")
    (b'caf', b'\\xc3')
    """
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4 if byte >> 3 == 0b11110 else 1
        return (data[:-back], data[-back:]) if length > back else (data, b"")
    return data, b""


def counted(count: int, what: str) -> str:
    """A number and its noun.

    >>> counted(1, "line"), counted(1200, "line")
    ('1 line', '1,200 lines')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
