"""Which tokens come back: many pieces tokenized in one text must say what each says by itself."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NORMAL, USER_DEFINED, Token, spm_vocabulary, write_llama
from vocabularies import bpe_vocabulary

from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens import round_trips
from negtemp.model.tokens.vocabulary import Vocabulary

# letters, what SentencePiece and the marks are made of, a line feed that Gemma has as a token, several bytes
_LETTERS = ["a", "b", "c", "▁", " ", "<", ">", "«", "(", "\n", "é", "日"]
_PIECES = st.text(st.sampled_from(_LETTERS), min_size=1, max_size=5)
_numbers = itertools.count()


def in_text(vocabulary: Vocabulary) -> list[int]:
    """The tokens whose pieces are UTF-8."""
    return [one for one, piece in enumerate(vocabulary.pieces()) if piece.decode("utf-8", "ignore").encode() == piece]


def by_both_ways(vocabulary: Vocabulary) -> tuple[list[bool], list[bool]]:
    """What comes back, tokenized at once and one by one."""
    ids = in_text(vocabulary)
    found = [round_trips.come_back(vocabulary, ids, in_bulk=at_once) for at_once in (True, False)]
    return found[0].tolist(), found[1].tolist()


def by_hand(vocabulary: Vocabulary, token_id: int) -> bool:
    """The definition: alone, or after any of the marks."""
    piece = vocabulary.piece(token_id)
    return any(
        vocabulary.encode(mark + piece) == [*vocabulary.encode(mark), token_id] for mark in (b"", *round_trips.MARKS)
    )


def test_the_bundled_vocabulary_says_the_same_at_once_and_by_hand(bundled: Model) -> None:
    vocabulary = bundled.vocabulary
    ids = in_text(vocabulary)
    found = round_trips.come_back(vocabulary, ids)
    assert found.tolist() == [by_hand(vocabulary, one) for one in ids]
    assert found.mean() > 0.5


@settings(max_examples=60)
@given(
    pieces=st.lists(_PIECES, min_size=1, max_size=40, unique=True), data=st.data(), space_prefix=st.booleans(),
    user_defined=st.booleans(),
)  # fmt: skip
def test_any_sentencepiece_vocabulary_says_the_same_at_once(
    compiled: Library, tmp_path_factory: pytest.TempPathFactory, pieces: list[str], data: st.DataObject,
    space_prefix: bool, user_defined: bool,
) -> None:  # fmt: skip
    """Pieces and scores at random: which neighbours are joined, and whether a user-defined token is cut out first."""
    kinds = data.draw(st.lists(st.booleans(), min_size=len(pieces), max_size=len(pieces)))
    made = [
        (piece.encode(), USER_DEFINED if own and user_defined else NORMAL)
        for piece, own in zip(pieces, kinds, strict=True)
    ]
    vocabulary = spm_vocabulary([]) + made
    scores = [0.0] * (len(vocabulary) - len(made)) + data.draw(
        st.lists(st.sampled_from([-1.0, -2.0, -3.0]), min_size=len(made), max_size=len(made))
    )
    path = tmp_path_factory.mktemp("vocabulary") / f"{next(_numbers)}.gguf"
    write_llama(path, vocabulary, layers=1, width=8, space_prefix=space_prefix, scores=scores)
    with Model(compiled, path, vocabulary_only=True) as model:
        at_once, one_by_one = by_both_ways(model.vocabulary)
    assert at_once == one_by_one
    path.unlink()


def bulk(compiled: Library, path: Path, vocabulary: Sequence[Token], **options: object) -> bool:
    """Whether pieces of this vocabulary are tokenized many at once."""
    write_llama(path, vocabulary, layers=1, width=8, **options)  # type: ignore[arg-type]
    with Model(compiled, path, vocabulary_only=True) as model:
        return round_trips._bulk(model.vocabulary) is not None


def test_pieces_are_tokenized_at_once_where_that_gives_the_same(compiled: Library, tmp_path: Path) -> None:
    own: list[Token] = [(b"<tag>", USER_DEFINED)]
    plain = spm_vocabulary([b"a"])
    assert bulk(compiled, tmp_path / "1.gguf", plain)
    assert bulk(compiled, tmp_path / "2.gguf", plain + own, space_prefix=False)
    assert not bulk(compiled, tmp_path / "3.gguf", plain + own)
    assert not bulk(compiled, tmp_path / "4.gguf", plain[:100])


def test_byte_level_pieces_are_tokenized_one_by_one(compiled: Library, tmp_path: Path) -> None:
    vocabulary, merges = bpe_vocabulary([b" the", b"\n\n"])
    assert not bulk(compiled, tmp_path / "bpe.gguf", vocabulary, merges=merges)


def test_a_separator_that_a_token_holds_is_not_used(compiled: Library, tmp_path: Path) -> None:
    held = "\ue000".encode()
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([b"a", held + b"a", held]), layers=1, width=8)
    with Model(compiled, path, vocabulary_only=True) as model:
        found = round_trips._bulk(model.vocabulary)
        assert found is not None and found.separator == "\ue001".encode()
        assert by_both_ways(model.vocabulary)[0] == by_both_ways(model.vocabulary)[1]


def test_nothing_to_try_is_no_error(bundled: Model) -> None:
    assert round_trips.come_back(bundled.vocabulary, []).tolist() == []
    assert round_trips.come_back(bundled.vocabulary, []).dtype == np.bool_
