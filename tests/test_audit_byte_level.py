"""A byte-level vocabulary as the benchmark's family has it: llama.cpp tokenizes as the library that trained it does."""

import os
from collections.abc import Iterator

import gguf
import pytest
from audit.byte_level import END_OF_TEXT, ByteLevel, train_byte_level
from models import close

from negtemp.model.library import Library
from negtemp.model.tokens.vocabulary import Vocabulary

TEXTS = (
    "The kettle sang, and the cat slept on; nobody's kettle sings for long.",
    "def total(values):\n    return sum(values)  # 3,141 of them",
    "Přišel domů a řekl: dobrý večer. Вечером мы вышли к реке. 今日は 🙂",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ByteLevel:
    path = tmp_path_factory.mktemp("byte-level") / "tokenizer.json"
    train_byte_level(TEXTS * 3, 400, path)
    return ByteLevel(path)


@pytest.fixture(scope="module")
def vocabulary(compiled: Library, trained: ByteLevel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    path = tmp_path_factory.mktemp("byte-level") / "vocabulary.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    trained.describe(writer)
    close(writer)
    params = compiled.api.llama_model_default_params()
    params.vocab_only = True
    handle = compiled.api.llama_model_load_from_file(os.fsencode(path), params)
    yield Vocabulary(compiled.api, compiled.api.llama_model_get_vocab(handle))
    compiled.api.llama_model_free(handle)


@pytest.mark.parametrize("text", TEXTS)
def test_llama_cpp_gives_the_same_ids(trained: ByteLevel, vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.encode(text.encode()) == trained.encode(text)


def test_every_byte_is_a_token_and_so_is_the_end_of_text(vocabulary: Vocabulary) -> None:
    pieces = {vocabulary.piece(token_id): vocabulary.category(token_id) for token_id in range(vocabulary.size)}
    # llama.cpp ends a piece at a NUL byte
    assert {bytes([value]) for value in range(1, 256)} <= pieces.keys()
    assert pieces[END_OF_TEXT.encode()] == "control"
