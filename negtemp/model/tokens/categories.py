"""The categories of the under-trained-token literature, found by sending every token to text and back.

    normal                comes back as itself
    special-looking       <…> or […] with a letter inside, typed as text, that does not come back
    control               the file says so: BOS, EOS, templates, the unknown token
    unused                the file says so, or the name does (`unused_names`), and nothing says that it is used
    byte-ascii            one byte below 0x80, typed as a byte
    byte-utf8             one byte that UTF-8 uses above 0x7f
    byte-invalid          one byte that no UTF-8 text holds: C0, C1, F5 to FF
    partial-utf8          more than one byte, and not whole UTF-8 characters
    unreachable-single    its text is tokenized to one other token
    unreachable-several   its text is tokenized to several tokens

A reserved name is used all the same where the file makes the token its BOS, EOS or the like, or where the chat template
writes it: Hunyuan ends its answers with `<｜hy_place▁holder▁no▁2｜>`.

A piece is tried on its own and after a few neutral marks, because SentencePiece puts a space before a text and a
pre-tokenizer may look at what stands before; it is reachable where any of them gives the id back. It leaves out whether
a chat template or another program could still produce the id.

Source: Land & Bartolo, Fishing for Magikarp (EMNLP 2024, arXiv 2405.05417), section 3 and `tokenization.py` of its
repository, which tries one mark. Bytes: RFC 3629, section 1.
"""

import re
from collections.abc import Container, Iterator, Sequence
from typing import Literal, get_args

from negtemp.errors import ModelError
from negtemp.model.tokens.vocabulary import Vocabulary

TokenCategory = Literal[
    "normal", "special-looking", "control", "unused", "byte-ascii", "byte-utf8", "byte-invalid", "partial-utf8",
    "unreachable-single", "unreachable-several",
]  # fmt: skip
TOKEN_CATEGORIES: tuple[TokenCategory, ...] = get_args(TokenCategory)
UNREACHABLE: tuple[TokenCategory, ...] = ("unreachable-single", "unreachable-several")
# what a text can hold and a model can be asked for
IN_TEXT: tuple[TokenCategory, ...] = ("normal",)

NEVER_UTF8 = frozenset([0xC0, 0xC1, *range(0xF5, 0x100)])

_NEUTRAL_MARKS = ("«".encode(), b"\n", b"(", "ː".encode())
_SPECIAL_LOOK = re.compile(rb"(<[^<>]*[A-Za-z][^<>]*>|\[[^\[\]]*[A-Za-z][^\[\]]*\])\Z")


def token_categories(vocabulary: Vocabulary, unused: Sequence[str] = ()) -> list[TokenCategory]:
    """The category of every token, in the order of ids. `unused` are names that count as unused beside the known ones,
    in which `*` stands for anything.

    Raises ModelError for a vocabulary without a tokenizer, or one in which no ordinary token comes back, UsageError for
    a name that fits every token.
    """
    if not vocabulary.has_tokenizer:
        raise ModelError("this file holds no tokenizer; convert the model again, with its tokenizer")
    found = list(_categories(vocabulary, set(vocabulary.named_unused(unused))))
    tried = sum(category in ("normal", "special-looking", *UNREACHABLE) for category in found)
    if tried and "normal" not in found:
        raise ModelError(
            f"not one of {tried} tokens comes back from text: the tokenizer in this file does not fit its vocabulary; "
            "convert the model again"
        )
    return found


def _categories(vocabulary: Vocabulary, unused: Container[int]) -> Iterator[TokenCategory]:
    marks = [(mark, vocabulary.encode(mark)) for mark in _NEUTRAL_MARKS]
    for token_id in range(vocabulary.size):
        piece, given = vocabulary.piece(token_id), vocabulary.category(token_id)
        if given == "unused" or token_id in unused:
            yield "unused"
        elif given in ("control", "unknown"):
            yield "control"
        elif given == "byte" or (len(piece) == 1 and piece[0] >= 0x80):
            yield _byte(piece)
        else:
            yield _by_round_trip(vocabulary, token_id, piece, marks)


def _byte(piece: bytes) -> TokenCategory:
    # llama.cpp ends a piece at a NUL byte
    value = piece[0] if piece else 0
    return "byte-ascii" if value < 0x80 else "byte-invalid" if value in NEVER_UTF8 else "byte-utf8"


def _by_round_trip(
    vocabulary: Vocabulary, token_id: int, piece: bytes, marks: Sequence[tuple[bytes, list[int]]]
) -> TokenCategory:
    if not _is_utf8(piece):
        return "partial-utf8"
    alone = vocabulary.encode(piece)
    if alone == [token_id] or any(vocabulary.encode(mark + piece) == [*before, token_id] for mark, before in marks):
        return "normal"
    if _SPECIAL_LOOK.match(piece):
        return "special-looking"
    return "unreachable-single" if len(_without_space(vocabulary, alone)) == 1 else "unreachable-several"


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_space(vocabulary: Vocabulary, token_ids: list[int]) -> list[int]:
    """Token ids less the bare space that SentencePiece may have put in front."""
    return token_ids[1:] if len(token_ids) > 1 and vocabulary.piece(token_ids[0]) == b" " else token_ids
