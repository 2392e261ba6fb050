"""A token as a user names it, to its id.

A name is the token's text: `é`, ` word`, a newline. Where no token has that text it may be, in this order, the token as
the file spells it (`▁entferne`, `Ġword`, `<0x0A>`), the same text in Unicode's other normal form, the text without the
space in front, the token as our tables show it (`␠word`, `\\xe9`), and at last any text that the tokenizer makes one
token of. A byte-level vocabulary spells bytes as letters, so that there `é` is both a text and byte 0xE9: the text
wins, and `spelled` finds the other. It leaves out ids, which are numbers and not names.

Source of the spellings: GPT-2's `bytes_to_unicode`, SentencePiece's `▁`. Normal forms: Unicode Annex 15.
"""

import difflib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from negtemp.errors import UsageError
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.printable import DOTTED_CIRCLE, SPACE_MARK, printable

How = Literal["text", "spelling", "normal form", "space in front", "as shown", "tokenizer"]

_MOST_LISTED = 8
_NEAREST = 3
_FEWEST_IN_COMMON = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """The tokens that a name fits, normal ones before others and then by their ids, and what fits: never none."""

    token_ids: tuple[int, ...]
    how: How


def token_id(vocabulary: Vocabulary, text: str) -> int:
    """The id of the token that `text` names, as `find` does; of several the first. Raises UsageError."""
    return find(vocabulary, text).token_ids[0]


def spelled(vocabulary: Vocabulary, text: str) -> int:
    """The id of the token that the file spells `text`, whatever its own text is. Raises UsageError."""
    data = _bytes(text)
    found = _with(vocabulary, lambda one: vocabulary.name(one) == data)
    if not found:
        raise UsageError(
            f"no token is spelled '{_shown(data)}' in this file{_nearest(vocabulary, text, vocabulary.name)}"
        )
    return found[0]


def find(vocabulary: Vocabulary, text: str) -> Found:
    """Every token that `text` names in the first way that fits.

    Raises UsageError where it is no token: no text at all, or text of several tokens, which are listed with the names
    that are nearest.
    """
    data = _bytes(text)
    for how, fits in _ways(vocabulary, text, data):
        if found := _with(vocabulary, fits):
            return Found(tuple(found), how)
    token_ids = vocabulary.encode(data)
    if len(token_ids) != 1:
        raise UsageError(_unknown(vocabulary, text, token_ids))
    return Found(tuple(token_ids), "tokenizer")


def remark(vocabulary: Vocabulary, text: str) -> str | None:
    """A line where a name may mean another token than its writer thinks; None where it is plain."""
    found = find(vocabulary, text)
    first = f"{printable(vocabulary.piece(found.token_ids[0]))} ({found.token_ids[0]})"
    # `<0x0A>` and `▁word` are seen to be spellings; letters are not
    if found.how == "spelling" and text.isalnum() and vocabulary.piece(found.token_ids[0]) != _unspaced(text):
        return f"no token has the text '{_shown(_bytes(text))}'; the file spells {first} so, and that is taken"
    if len(found.token_ids) > 1:
        count, others = len(found.token_ids), ", ".join(map(str, found.token_ids[1:_MOST_LISTED]))
        return f"{count} tokens are '{_shown(_bytes(text))}'; {first} is taken; the ids of the others are {others}"
    return None


def _ways(vocabulary: Vocabulary, text: str, data: bytes) -> Iterator[tuple[How, Callable[[int], bool]]]:
    yield "text", lambda one: vocabulary.piece(one) == data
    yield "spelling", lambda one: vocabulary.name(one) == data
    forms = {_bytes(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")} - {data}
    if forms:
        yield "normal form", lambda one: vocabulary.piece(one) in forms
    spaced = {b" " + form for form in (data, *forms)}
    yield "space in front", lambda one: vocabulary.piece(one) in spaced
    if any(mark in text for mark in ("\\", SPACE_MARK, DOTTED_CIRCLE)):
        yield "as shown", lambda one: text in (printable(vocabulary.piece(one)), printable(vocabulary.piece(one), " "))


def _with(vocabulary: Vocabulary, fits: Callable[[int], bool]) -> list[int]:
    found = [one for one in range(vocabulary.size) if fits(one)]
    return sorted(found, key=lambda one: (vocabulary.category(one) != "normal", one))


def _bytes(text: str) -> bytes:
    if not text:
        raise UsageError("a token has no text; name one such as ' the', or give its id")
    return text.encode("utf-8", "surrogateescape")


def _unspaced(text: str) -> bytes:
    """What a spelling of SentencePiece or of byte-level BPE says plainly: its space."""
    return _bytes(text.replace("▁", " ").replace("Ġ", " "))


def _shown(data: bytes) -> str:
    return printable(data, keep=" ")


def _unknown(vocabulary: Vocabulary, text: str, token_ids: list[int]) -> str:
    listed = ", ".join(f"{printable(vocabulary.piece(one))} ({one})" for one in token_ids[:_MOST_LISTED])
    more = f" and {len(token_ids) - _MOST_LISTED} more" if len(token_ids) > _MOST_LISTED else ""
    number = "; the token of that number is meant by its id alone" if text.isascii() and text.isdigit() else ""
    return (
        f"'{_shown(_bytes(text))}' is not one token of this vocabulary but {len(token_ids)} of them: {listed}{more}"
        f"{_nearest(vocabulary, text, vocabulary.piece)}{number}; name one of those, or give ids"
    )


def _nearest(vocabulary: Vocabulary, text: str, name: Callable[[int], bytes]) -> str:
    """The tokens whose names resemble the text most, as the end of a sentence; empty where none does."""
    wanted, letters = text.strip().casefold(), set(text.casefold())
    names: dict[str, int] = {}
    for one in range(vocabulary.size):
        other = name(one).decode("utf-8", "replace").strip().casefold()
        # a comparison of all would take seconds in a large vocabulary
        if abs(len(other) - len(wanted)) <= 2 and len(letters & set(other)) >= _FEWEST_IN_COMMON * len(letters):
            names.setdefault(other, one)
    near = difflib.get_close_matches(wanted, names, _NEAREST, _FEWEST_IN_COMMON)
    return "; near it: " + ", ".join(f"{printable(name(names[n]))} ({names[n]})" for n in near) if near else ""
