"""Vocabularies for test models: SentencePiece with its byte tokens, byte-level BPE with its merges, padding."""

from collections.abc import Sequence

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

Token = tuple[bytes, int]

SPECIAL: list[Token] = [(b"<unk>", UNKNOWN), (b"<s>", CONTROL), (b"</s>", CONTROL)]


def spm_vocabulary(pieces: Sequence[bytes]) -> list[Token]:
    """Control tokens, the 256 byte tokens and the given pieces, as a SentencePiece vocabulary has them."""
    return SPECIAL + [(b"<0x%02X>" % value, BYTE) for value in range(256)] + [(piece, NORMAL) for piece in pieces]


def padded(vocabulary: Sequence[Token], count: int) -> list[Token]:
    """The vocabulary with `count` rows that no text reaches at its end, named and typed as converters do."""
    first = len(vocabulary)
    return [*vocabulary, *((b"[PAD%d]" % (first + index), UNUSED) for index in range(count))]


def bpe_vocabulary(words: Sequence[bytes]) -> tuple[list[Token], list[str]]:
    """Control tokens, the 256 bytes and every beginning of the words, with the merges that build them.

    Bytes are written as GPT-2 writes them: a space is `Ġ`. In such a vocabulary no token is typed as a byte.
    """
    letters = _byte_letters()
    tokens = dict.fromkeys(letters.values(), NORMAL)
    merges: dict[str, None] = {}
    for word in words:
        spelt = "".join(letters[value] for value in word)
        for end in range(2, len(spelt) + 1):
            merges[f"{spelt[: end - 1]} {spelt[end - 1]}"] = None
            tokens[spelt[:end]] = NORMAL
    return SPECIAL + [(token.encode(), kind) for token, kind in tokens.items()], list(merges)


def _byte_letters() -> dict[int, str]:
    """GPT-2's letter for each byte: itself where it can be seen, else the next free one from U+0100."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [value for value in range(256) if value not in seen]
    return {value: chr(value) for value in seen} | {value: chr(0x100 + i) for i, value in enumerate(hidden)}
