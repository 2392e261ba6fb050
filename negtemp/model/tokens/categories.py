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

A piece is tried on its own and after a few neutral marks (`round_trips`); it is reachable where any of them gives the
id back. What is found is kept (`table`). It leaves out whether a chat template or another program could still produce
the id.

Source: Land & Bartolo, Fishing for Magikarp (EMNLP 2024, arXiv 2405.05417), section 3 and `tokenization.py` of its
repository, which tries one mark. Bytes: RFC 3629, section 1.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from negtemp.errors import ModelError
from negtemp.model.tokens import round_trips
from negtemp.model.tokens.table import TokenTable
from negtemp.model.tokens.vocabulary import Category, Vocabulary

TokenCategory = Literal[
    "normal", "special-looking", "control", "unused", "byte-ascii", "byte-utf8", "byte-invalid", "partial-utf8",
    "unreachable-single", "unreachable-several",
]  # fmt: skip
TOKEN_CATEGORIES: tuple[TokenCategory, ...] = get_args(TokenCategory)
UNREACHABLE: tuple[TokenCategory, ...] = ("unreachable-single", "unreachable-several")
# what a text can hold and a model can be asked for
IN_TEXT: tuple[TokenCategory, ...] = ("normal",)

NEVER_UTF8 = frozenset([0xC0, 0xC1, *range(0xF5, 0x100)])

_SPECIAL_LOOK = re.compile(rb"(<[^<>]*[A-Za-z][^<>]*>|\[[^\[\]]*[A-Za-z][^\[\]]*\])\Z")


def token_categories(vocabulary: Vocabulary, unused: Sequence[str] = ()) -> list[TokenCategory]:
    """The category of every token, in the order of ids. `unused` are names that count as unused beside the known ones,
    in which `*` stands for anything.

    Raises ModelError for a vocabulary without a tokenizer, or one in which no ordinary token comes back, UsageError for
    a name that fits every token.
    """
    if not vocabulary.has_tokenizer:
        raise ModelError("this file holds no tokenizer; convert the model again, with its tokenizer")
    numbers = _table(vocabulary).categories.copy()
    numbers[vocabulary.named_unused(unused)] = TOKEN_CATEGORIES.index("unused")
    names = np.array(TOKEN_CATEGORIES, object)
    found: list[TokenCategory] = names[numbers].tolist()
    counts = Counter(found)
    tried = sum(counts[category] for category in ("normal", "special-looking", *UNREACHABLE))
    if tried and not counts["normal"]:
        raise ModelError(
            f"not one of {tried} tokens comes back from text: the tokenizer in this file does not fit its vocabulary; "
            "convert the model again"
        )
    return found


def _table(vocabulary: Vocabulary) -> TokenTable:
    """The table of the vocabulary: the one that is kept, or made now and kept."""
    return vocabulary.table or vocabulary.remember(_categories(vocabulary))


def _categories(vocabulary: Vocabulary) -> list[int]:
    """The number of every token's category, as if no name said `unused`."""
    found = list(map(_without_trial, vocabulary.pieces(), vocabulary.categories()))
    tried = [one for one, category in enumerate(found) if category is None]
    for one, comes_back in zip(tried, round_trips.come_back(vocabulary, tried), strict=True):
        found[one] = "normal" if comes_back else _lost(vocabulary, vocabulary.piece(one))
    number = {category: index for index, category in enumerate(TOKEN_CATEGORIES)}
    return [number[category] for category in found if category]


def _without_trial(piece: bytes, given: Category) -> TokenCategory | None:
    """The category of a token that need not be sent to text and back; None for the others."""
    if given == "unused":
        return "unused"
    if given in ("control", "unknown"):
        return "control"
    if given == "byte" or (len(piece) == 1 and piece[0] >= 0x80):
        return _byte(piece)
    return None if _is_utf8(piece) else "partial-utf8"


def _byte(piece: bytes) -> TokenCategory:
    # llama.cpp ends a piece at a NUL byte
    value = piece[0] if piece else 0
    return "byte-ascii" if value < 0x80 else "byte-invalid" if value in NEVER_UTF8 else "byte-utf8"


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _lost(vocabulary: Vocabulary, piece: bytes) -> TokenCategory:
    """The category of a piece that does not come back."""
    if _SPECIAL_LOOK.match(piece):
        return "special-looking"
    alone = vocabulary.encode(piece)
    return "unreachable-single" if len(_without_space(vocabulary, alone)) == 1 else "unreachable-several"


def _without_space(vocabulary: Vocabulary, token_ids: list[int]) -> list[int]:
    """Token ids less the bare space that SentencePiece may have put in front."""
    return token_ids[1:] if len(token_ids) > 1 and vocabulary.piece(token_ids[0]) == b" " else token_ids
