"""Texts cut into words: the parts, tokenized apart, give what the whole gives, on several kinds of vocabulary."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens import safe_splits
from negtemp.model.tokens.vocabulary import Vocabulary

UPSTREAM = Path(__file__).parent.parent / "vendor/llama.cpp/models"
PARTS = [
    "a",
    "the",
    "word",
    "don't",
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "1234",
    "é",
    "▁",
    "\u00a0",
    "\u3000",
    ".",
    "日本",
    "р",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=14).map("".join)


@contextmanager
def carried(library: Library, name: str) -> Iterator[Vocabulary]:
    """A vocabulary that the source distribution carries."""
    path = UPSTREAM / f"ggml-vocab-{name}.gguf"
    if not path.exists():
        pytest.skip(f"{path.name} is not here; scripts/build_llama.sh unpacks it")
    params = library.api.llama_model_default_params()
    params.vocab_only = True
    handle = library.api.llama_model_load_from_file(str(path).encode(), params)
    yield Vocabulary(library.api, library.api.llama_model_get_vocab(handle))
    library.api.llama_model_free(handle)


@functools.cache
def kept_whole(vocabulary: Vocabulary) -> list[bytes]:
    return safe_splits.left_whole(vocabulary)


def assert_parts_give_the_whole(vocabulary: Vocabulary, text: str) -> None:
    data = text.encode("utf-8", "replace")
    if any(piece in data for piece in kept_whole(vocabulary)):
        return
    before = b" " if vocabulary.detokenize(vocabulary.encode(b"a")[:1]).startswith(b" ") else b""
    whole = before + data
    places = [0, *safe_splits.cuts(np.frombuffer(whole, np.uint8)).tolist(), len(whole)]
    parts = [whole[start:stop][len(before) :] for start, stop in pairwise(places)]
    assert [i for part in parts for i in vocabulary.encode(part)] == vocabulary.encode(data)


@pytest.mark.parametrize("name", ["llama-spm", "phi-3", "gpt-2", "llama-bpe", "qwen2", "starcoder"])
def test_words_tokenized_apart_give_what_the_text_gives(compiled: Library, name: str) -> None:
    with carried(compiled, name) as vocabulary:
        assert safe_splits.can_be_cut(vocabulary)

        @settings(max_examples=60, deadline=None, database=None)
        @given(text=TEXTS)
        def check(text: str) -> None:
            assert_parts_give_the_whole(vocabulary, text)

        check()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_the_bundled_vocabulary_can_be_cut_too(bundled: Model, text: str) -> None:
    assert_parts_give_the_whole(bundled.vocabulary, text)


def test_a_vocabulary_with_a_token_across_two_words_leaves_texts_whole(compiled: Library) -> None:
    with carried(compiled, "deepseek-coder") as vocabulary:
        assert not safe_splits.can_be_cut(vocabulary)
        assert b"= " in map(vocabulary.piece, vocabulary.encode(b"n = 0")) or b" = " in map(
            vocabulary.piece, vocabulary.encode(b"n = 0")
        )


@pytest.mark.parametrize(
    ("text", "places"),
    [("to be or", [2, 5]), ("to  be", []), (" a", []), ("a ", []), ("a\n b", []), ("", []), ("▁ a", [])],
)
def test_cuts_are_single_spaces_between_visible_bytes(text: str, places: list[int]) -> None:
    assert safe_splits.cuts(np.frombuffer(text.encode(), np.uint8)).tolist() == places
