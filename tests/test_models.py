"""The models that other tests trust: each loads in the compiled library and computes the formula that it should."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import EPSILON, write_llama
from numpy.typing import NDArray
from planted import planted, rms_normed
from quantised import WIDTH, quantised_copy
from vocabularies import bpe_vocabulary, padded, spm_vocabulary

from negtemp.model.library import Library
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model

WORDS = [b"hello", b" world", "ž".encode()]
PIECES = [b"p%d" % index for index in range(41)]
VOCABULARY = spm_vocabulary(PIECES)
EMBEDDING = planted(np.linspace(0.5, 2, len(VOCABULARY) // 2).tolist(), 32).matrix
UNEMBEDDING = planted(np.linspace(1, 3, len(VOCABULARY) // 2).tolist(), 32, seed=1).matrix
BIAS = np.linspace(-1, 1, len(VOCABULARY), dtype=np.float32)
TOKEN = 270
OPTIONS: dict[str, dict[str, Any]] = {
    "untied": {"unembedding": UNEMBEDDING},
    "tied": {"tied": True},
    "biased": {"unembedding": UNEMBEDDING, "bias": BIAS},
    "capped": {"softcap": 3.0},
}


def logits(library: Library, path: Path, token_id: int) -> NDArray[np.float32]:
    """What the compiled library computes after one token, `[vocab]`."""
    with Model(library, path) as model, Context(model, 1, 16, 1) as context:
        return context.prompt([token_id], 0).copy()


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_model_whose_layers_add_nothing_is_its_formula(compiled: Library, tmp_path: Path, kind: str) -> None:
    options = OPTIONS[kind]
    path = write_llama(tmp_path / "m.gguf", VOCABULARY, mixing=0.0, embedding=EMBEDDING, **options)
    head = UNEMBEDDING if "unembedding" in options else EMBEDDING
    # Gemma scales the embedding on its way in, which the norm undoes but for its epsilon
    scale = np.float32(np.sqrt(32)) if kind == "capped" else np.float32(1)
    expected = head.astype(np.float64) @ rms_normed(scale * EMBEDDING[TOKEN], EPSILON)
    expected += BIAS if kind == "biased" else 0
    expected = 3 * np.tanh(expected / 3) if kind == "capped" else expected
    np.testing.assert_allclose(logits(compiled, path, TOKEN), expected, atol=1e-4)


def test_a_planted_matrix_has_its_centroid_and_distances() -> None:
    plan = planted([0.25, 1.0, 3.0], 16, centroid_norm=2.0)
    wide = plan.matrix.astype(np.float64)
    np.testing.assert_allclose(wide.mean(axis=0), plan.centroid, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(wide - plan.centroid, axis=1), [0.25, 0.25, 1, 1, 3, 3], atol=1e-6)
    assert np.linalg.norm(plan.centroid) == pytest.approx(2.0)


def test_byte_level_bpe_reaches_its_words_and_loses_no_byte(compiled: Library, tmp_path: Path) -> None:
    tokens, merges = bpe_vocabulary(WORDS)
    with Model(compiled, write_llama(tmp_path / "bpe.gguf", tokens, merges=merges)) as model:
        vocabulary = model.vocabulary
        ids = vocabulary.tokenize("hello world")
        assert [vocabulary.piece(token_id) for token_id in ids[-2:]] == [b"hello", b" world"]
        data = bytes(range(1, 128)).decode() + "ž日\u202e"
        assert vocabulary.detokenize(vocabulary.tokenize(data)[1:]) == data.encode()
        assert {vocabulary.category(token_id) for token_id in range(3, vocabulary.size)} == {"normal"}


def test_padding_is_loaded_as_unused_rows(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, write_llama(tmp_path / "padded.gguf", padded(VOCABULARY, 4))) as model:
        assert model.vocabulary.in_categories(["unused"]) == [300, 301, 302, 303]


@pytest.mark.parametrize("type_name", ["f16", "q8_0", "q4_0", "q4_K", "q6_K", "iq4_xs", "bf16"])
def test_a_quantised_copy_is_loaded_and_close_to_the_original(
    compiled: Library, tmp_path: Path, type_name: str
) -> None:
    original = write_llama(tmp_path / "f32.gguf", VOCABULARY, width=WIDTH, layers=1)
    copy = quantised_copy(compiled, original, tmp_path / "copy.gguf", type_name)
    correlation = np.corrcoef(logits(compiled, original, TOKEN), logits(compiled, copy, TOKEN))[0, 1]
    assert correlation > 0.95
