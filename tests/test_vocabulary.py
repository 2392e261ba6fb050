"""Tokens as bytes, without loss, on a vocabulary made to break detokenizers and on the one that ships."""

from pathlib import Path

import pytest
from conftest import HOSTILE
from models import spm_vocabulary, write_llama

from negtemp.errors import ModelError, PromptError
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import token_categories

FIRST_PIECE = 3 + 256


@pytest.mark.parametrize(("index", "piece"), list(enumerate(HOSTILE)), ids=lambda value: str(value)[:20])
def test_every_hostile_piece_comes_back_whole(hostile: Model, index: int, piece: bytes) -> None:
    # llama.cpp keeps token texts as C strings, so a piece ends at a NUL
    assert hostile.vocabulary.piece(FIRST_PIECE + index) == piece.split(b"\0")[0]


def test_byte_tokens_are_single_bytes(hostile: Model) -> None:
    assert [hostile.vocabulary.piece(3 + value) for value in range(256)] == [bytes([value]) for value in range(256)]


def test_a_byte_that_has_no_token_is_the_unknown_one(compiled: Library, tmp_path: Path) -> None:
    """Stock llama.cpp ends the program there: an exception of C++ that nobody catches."""
    vocabulary = [token for token in spm_vocabulary([b"a", b"b"]) if token[0] != b"<0xC3>"]
    with Model(compiled, write_llama(tmp_path / "m.gguf", vocabulary)) as model:
        pieces = [model.vocabulary.name(token_id) for token_id in model.vocabulary.encode("aéb".encode())]
    assert pieces[-4:] == [b"a", b"<unk>", b"<0xA9>", b"b"]


def test_pieces_stand_in_the_order_of_ids_whichever_was_asked_for_first(hostile_path: Path, compiled: Library) -> None:
    """Each one alone, last first, so that all are known before they are asked for together."""
    with Model(compiled, hostile_path) as model, Model(compiled, hostile_path) as fresh:
        alone = [model.vocabulary.piece(one) for one in reversed(range(model.vocabulary.size))]
        assert model.vocabulary.pieces() == alone[::-1] == fresh.vocabulary.pieces()


def test_the_table_of_a_vocabulary_is_the_same_after_a_generation_as_before(
    compiled: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a model has written was asked for first, and then every name that may say `unused`."""
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([b"a", b"<unused0>", b"<unused1>", b"b"]))

    def categories(folder: str, *first: int) -> list[str]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
        with Model(compiled, path) as model:
            model.vocabulary.detokenize(first)
            model.vocabulary.named_unused()
            return list(token_categories(model.vocabulary))

    size = len(before := categories("one"))
    assert categories("other", size - 1, 7, size - 3) == before


def test_control_tokens_have_their_names(hostile: Model) -> None:
    assert hostile.vocabulary.detokenize([1, 2]) == b"<s></s>"


def test_categories(hostile: Model) -> None:
    assert [hostile.vocabulary.category(i) for i in (0, 1, 2, 3, 258, 259)] == [
        "unknown", "control", "control", "byte", "byte", "normal",
    ]  # fmt: skip
    assert hostile.vocabulary.in_categories(["control", "unknown"]) == [0, 1, 2]
    assert hostile.vocabulary.in_categories([]) == []


def test_the_end_token_is_known(hostile: Model) -> None:
    assert hostile.vocabulary.end_tokens == {2}


@pytest.mark.parametrize("token_id", [-1, 10**6])
def test_a_token_that_does_not_exist_is_refused(hostile: Model, token_id: int) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        hostile.vocabulary.piece(token_id)
    with pytest.raises(ModelError, match="does not exist"):
        hostile.vocabulary.category(token_id)


@pytest.mark.parametrize("text", ["Temperature is a concept", "žluťoučký kůň\n", "日本語 \u202e", "x" * 5000])
def test_text_survives_the_round_trip(bundled: Model, text: str) -> None:
    token_ids = bundled.vocabulary.tokenize(text)
    # SentencePiece puts a space before the first word
    assert bundled.vocabulary.detokenize(token_ids).removeprefix(b"<s>").removeprefix(b" ") == text.encode()


def test_tokenizing_needs_no_guess_at_the_length(bundled: Model) -> None:
    """Every byte of these falls back to one token, which is more than any estimate by characters."""
    assert len(bundled.vocabulary.tokenize("\U0001f9ca" * 100)) >= 400


def test_a_lone_surrogate_is_no_prompt(bundled: Model) -> None:
    with pytest.raises(PromptError, match="UTF-8"):
        bundled.vocabulary.tokenize("a\udc80")
