"""Categories by round trip: on a vocabulary made so that every category is known, and on the one that ships."""

from collections import Counter
from pathlib import Path

import gguf
import pytest
from models import CONTROL, NORMAL, UNUSED, Token, spm_vocabulary, write_llama

from negtemp.errors import ModelError
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import TOKEN_CATEGORIES, token_categories

KNOWN: tuple[tuple[bytes, int, str], ...] = (
    (b"a", NORMAL, "normal"),
    (b"ab", NORMAL, "normal"),
    ("▁a".encode(), NORMAL, "normal"),
    ("▁".encode(), NORMAL, "normal"),
    # SentencePiece writes a space as ▁, so a piece with a real one stays out of reach
    (b" a", NORMAL, "unreachable-single"),
    # no pair of x, y and z is a piece, so nothing ever merges up to the whole
    (b"xyz", NORMAL, "unreachable-several"),
    (b"<tag>", NORMAL, "special-looking"),
    (b"[mask]", NORMAL, "special-looking"),
    (b"<<>>", NORMAL, "unreachable-several"),
    (b"<unused7>", NORMAL, "unused"),
    (b"[PAD151643]", NORMAL, "unused"),
    (b"<|reserved_special_token_9|>", CONTROL, "unused"),
    (b"[UNUSED_TOKEN_3]", CONTROL, "unused"),
    (b"<|placeholder1|>", CONTROL, "unused"),
    ("<｜place▁holder▁no▁0｜>".encode(), CONTROL, "unused"),
    (b"placeholder1", NORMAL, "unreachable-several"),
    (b"<|reserved_9|>", CONTROL, "unused"),
    (b"anything", UNUSED, "unused"),
    (b"<|im_start|>", CONTROL, "control"),
)


@pytest.fixture(scope="module")
def known(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The categories found in a vocabulary of the pieces above."""
    vocabulary: list[Token] = spm_vocabulary([]) + [(piece, kind) for piece, kind, _ in KNOWN]
    with Model(compiled, write_llama(tmp_path_factory.mktemp("roundtrip") / "known.gguf", vocabulary)) as model:
        return list(token_categories(model.vocabulary))


@pytest.mark.parametrize(
    ("index", "category"), [(i, k[2]) for i, k in enumerate(KNOWN)], ids=[repr(k[0]) for k in KNOWN]
)
def test_each_piece_has_its_category(known: list[str], index: int, category: str) -> None:
    assert known[3 + 256 + index] == category


def test_bytes_are_sorted_by_what_utf8_makes_of_them(known: list[str]) -> None:
    assert Counter(known[3 : 3 + 256]) == {"byte-ascii": 128, "byte-utf8": 115, "byte-invalid": 13}
    never = [value for value in range(256) if known[3 + value] == "byte-invalid"]
    # brute force: a byte that UTF-8 uses occurs in the encoding of some character
    encoded = b"".join(chr(code).encode() for code in [*range(0x80, 0xD800, 64), *range(0xE000, 0x110000, 64), 0x800])
    assert never == [value for value in range(0x80, 256) if value not in set(encoded) | set(range(0x80, 0xC0))]


def test_the_first_three_are_control_tokens(known: list[str]) -> None:
    assert known[:3] == ["control"] * 3


def test_the_bundled_vocabulary_comes_back_whole(bundled: Model) -> None:
    found = Counter(token_categories(bundled.vocabulary))
    assert found.keys() <= set(TOKEN_CATEGORIES)
    assert found["byte-invalid"] == 13
    assert found["normal"] > 0.8 * bundled.vocabulary.size
    assert not found["partial-utf8"]


def test_a_byte_level_vocabulary_has_partial_characters(compiled: Library, tmp_path: Path) -> None:
    """Two bytes of the three of 日 are a piece of their own in many byte-level vocabularies."""
    to_letter = _byte_letters()
    letters = [to_letter[value] for value in range(256)]
    half = to_letter[0xE6] + to_letter[0x97]
    pieces = [*letters, to_letter[ord("t")] + to_letter[ord("h")], half]
    path = write_llama(
        tmp_path / "bpe.gguf", [(piece.encode(), NORMAL) for piece in pieces], merges=[f"{half[0]} {half[1]}", "t h"]
    )
    with Model(compiled, path) as model:
        found = token_categories(model.vocabulary)
    assert found[256:] == ["normal", "partial-utf8"]
    assert Counter(found[:256]) == {"normal": 128, "byte-utf8": 115, "byte-invalid": 13}


def _byte_letters() -> dict[int, str]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the rest are shifted above 255."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [value for value in range(256) if value not in plain]
    return {value: chr(value) for value in plain} | {value: chr(256 + index) for index, value in enumerate(rest)}


def test_a_file_without_a_tokenizer_is_refused(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "none.gguf", spm_vocabulary([b"a"]), tokenizer="no_vocab")
    with Model(compiled, path) as model, pytest.raises(ModelError, match="no tokenizer"):
        token_categories(model.vocabulary)


def test_a_tokenizer_that_gives_nothing_back_is_refused(compiled: Library, tmp_path: Path) -> None:
    """Pieces that no merge leads to: every text ends in bytes."""
    path = write_llama(tmp_path / "broken.gguf", spm_vocabulary([b"xyz", b"qrs"]))
    with Model(compiled, path) as model, pytest.raises(ModelError, match="not one of 2 tokens comes back"):
        token_categories(model.vocabulary)


def test_gguf_writes_what_the_tests_say() -> None:
    assert (NORMAL, CONTROL, UNUSED) == (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL, gguf.TokenType.UNUSED)


RESERVED = (
    (b"<|reserved_special_token_0|>", CONTROL),
    (b"<|reserved_special_token_1|>", CONTROL),
    (b"<|slot_1|>", CONTROL),
    (b"<|im_start|>", CONTROL),
)


def test_a_reserved_name_that_the_chat_template_writes_is_in_use(compiled: Library, tmp_path: Path) -> None:
    template = "{{ '<|reserved_special_token_1|>' + messages[0].content }}"
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([]) + list(RESERVED), chat_template=template)
    with Model(compiled, path) as model:
        assert token_categories(model.vocabulary)[-4:] == ["unused", "control", "control", "control"]


def test_a_reserved_name_that_ends_a_text_is_in_use(compiled: Library, tmp_path: Path) -> None:
    vocabulary = spm_vocabulary([])
    vocabulary[2] = RESERVED[0]  # the place of EOS
    with Model(compiled, write_llama(tmp_path / "m.gguf", vocabulary)) as model:
        assert token_categories(model.vocabulary)[2] == "control"


def test_patterns_say_which_other_names_are_unused(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([]) + list(RESERVED))
    with Model(compiled, path) as model:
        found = token_categories(model.vocabulary, unused=["<|slot_*|>"])
        assert found[-4:] == ["unused", "unused", "unused", "control"]


def test_masking_the_unused_masks_those_that_are_named_so(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([]) + list(RESERVED))
    with Model(compiled, path) as model:
        size = model.vocabulary.size
        assert model.vocabulary.in_categories(["unused"]) == [size - 4, size - 3]
