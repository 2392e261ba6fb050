"""A token as a user names it, to its id.

A name may be the token's text as the file writes it (`▁entferne`, `Ġword`, `<0x0A>`), its bytes (` entferne`), or the
same without the space in front, in this order; the tokenizer is asked last. It leaves out partial UTF-8 and other
pieces that cannot be typed: give their ids.
"""

from negtemp.errors import UsageError
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.printable import printable

_MOST_LISTED = 8


def token_id(vocabulary: Vocabulary, text: str) -> int:
    """The id of the one token that `text` names; a normal one before others, then the lowest.

    Raises UsageError where it is no token: no text at all, or text of several tokens, which are listed.
    """
    data = text.encode("utf-8", "surrogateescape")
    if not data:
        raise UsageError("a token has no text; name one such as '▁entferne', or its id")
    found = _named(vocabulary, data) or _as_bytes(vocabulary, data)
    if not found:
        token_ids = vocabulary.encode(data)
        if len(token_ids) != 1:
            raise UsageError(_several(vocabulary, data, token_ids))
        found = token_ids
    return min(found, key=lambda one: (vocabulary.category(one) != "normal", one))


def _named(vocabulary: Vocabulary, data: bytes) -> list[int]:
    return [one for one in range(vocabulary.size) if vocabulary.name(one) == data]


def _as_bytes(vocabulary: Vocabulary, data: bytes) -> list[int]:
    """Tokens of exactly these bytes, or else of a space and these bytes."""
    pieces = [vocabulary.piece(one) for one in range(vocabulary.size)]
    for wanted in (data, b" " + data):
        if found := [one for one, piece in enumerate(pieces) if piece == wanted]:
            return found
    return []


def _several(vocabulary: Vocabulary, data: bytes, token_ids: list[int]) -> str:
    listed = ", ".join(f"{printable(vocabulary.piece(one))} ({one})" for one in token_ids[:_MOST_LISTED])
    more = f" and {len(token_ids) - _MOST_LISTED} more" if len(token_ids) > _MOST_LISTED else ""
    return (
        f"'{printable(data, keep=' ')}' is not one token of this vocabulary but {len(token_ids)} of them: {listed}"
        f"{more}; name one of those, or give ids"
    )
