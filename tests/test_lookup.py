"""The token that a user names: by its text first, and by the file's spelling where no token has that text."""

import unicodedata
from collections.abc import Iterator

import pytest
from models import NORMAL, USER_DEFINED, spm_vocabulary, write_llama
from vocabularies import bpe_vocabulary

from negtemp.cli import token_selection
from negtemp.errors import UsageError
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.lookup import find, remark, spelled, token_id
from negtemp.model.tokens.vocabulary import Vocabulary

WORDS = ["é", "ñ", " the", "temperature", " café", "1,2", "a\nb", "123"]
PIECES = ["▁entferne", "word", "▁word", "\n", "a,b", "7", "naïve", "<|x|>", "<|x|>é"]


@pytest.fixture(scope="module")
def byte_level(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    """BPE over bytes, in which `é` is a token and its letter stands for byte 0xE9."""
    tokens, merges = bpe_vocabulary([word.encode() for word in WORDS])
    path = write_llama(tmp_path_factory.mktemp("lookup") / "bpe.gguf", tokens, tokenizer="gpt2", merges=merges)
    with Model(compiled, path) as model:
        yield model.vocabulary


@pytest.fixture(scope="module")
def pieces(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    """SentencePiece: a newline twice, as a byte and as a piece, and one text twice."""
    tokens = [*spm_vocabulary([piece.encode() for piece in PIECES]), (b"<|y|>", USER_DEFINED), (b"<|y|>2", NORMAL)]
    with Model(compiled, write_llama(tmp_path_factory.mktemp("lookup") / "spm.gguf", tokens)) as model:
        yield model.vocabulary


@pytest.mark.parametrize("word", WORDS)
def test_a_text_names_the_token_that_has_it(byte_level: Vocabulary, word: str) -> None:
    assert byte_level.piece(token_id(byte_level, word)) == word.encode()
    assert remark(byte_level, word) is None


def test_a_letter_that_spells_a_byte_and_is_no_text_is_the_byte_and_is_said_to_be(byte_level: Vocabulary) -> None:
    assert byte_level.piece(token_id(byte_level, "ö")) == b"\xf6"
    assert "no token has the text 'ö'; the file spells \\xf6" in str(remark(byte_level, "ö"))


def test_the_spelling_is_another_way_to_name(byte_level: Vocabulary) -> None:
    assert byte_level.piece(spelled(byte_level, "é")) == b"\xe9"
    assert byte_level.piece(spelled(byte_level, "Ġthe")) == b" the"
    with pytest.raises(UsageError, match=r"no token is spelled ' the' in this file.*near it: Ġthe"):
        spelled(byte_level, " the")


def test_every_token_of_valid_text_can_be_named_by_it(byte_level: Vocabulary) -> None:
    for one in range(byte_level.size):
        piece = byte_level.piece(one)
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            continue
        assert not text or byte_level.piece(token_id(byte_level, text)) == piece


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("▁entferne", b" entferne"), ("entferne", b" entferne"), (" entferne", b" entferne"), ("word", b"word"),
        ("<0xE9>", b"\xe9"), ("<0x0A>", b"\n"), ("a,b", b"a,b"), ("7", b"7"), ("<s>", b"<s>"),
        ("␠entferne", b" entferne"),
        ("\\xe9", b"\xe9"), ("\\n", b"\n"), (unicodedata.normalize("NFD", "naïve"), "naïve".encode()),
    ],
)  # fmt: skip
def test_spellings_spaces_and_the_tables_own_marks_name_it_too(pieces: Vocabulary, name: str, piece: bytes) -> None:
    assert pieces.piece(token_id(pieces, name)) == piece
    assert "spells" not in str(remark(pieces, name))


def test_of_several_tokens_the_normal_one_is_taken_and_the_others_are_named(pieces: Vocabulary) -> None:
    found = find(pieces, "\n")
    assert len(found.token_ids) == 2
    assert pieces.category(found.token_ids[0]) == "normal"
    assert f"the ids of the others are {found.token_ids[1]}" in str(remark(pieces, "\n"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "a token has no text"),
        ("enfterne", r"'enfterne' is not one token of this vocabulary but .*near it: ␠entferne \(259\)"),
        ("262", "the token of that number is meant by its id alone"),
        ("\x1b[31m", r"'\\u001b\[31m' is not one token"),
    ],
)
def test_what_is_no_token_is_refused_with_what_is_near(pieces: Vocabulary, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        token_id(pieces, name)


def test_the_options_make_one_list_in_their_order(byte_level: Vocabulary) -> None:
    text, raw = token_id(byte_level, "é"), spelled(byte_level, "é")
    assert token_selection.token_ids(byte_level, ["é"], f"5,{text}", ["é"]) == [text, raw, 5]
