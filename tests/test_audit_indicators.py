"""All indicators of real files: on the bundled model against its known truth, and against float64 arithmetic."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import write_llama
from vocabularies import padded, spm_vocabulary

from negtemp.experiments import contexts
from negtemp.experiments.indicators import Survey, measure, references, survey
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import TokenCategory, token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.theory.statistics import auc

NAMES = {
    "level", "level_direction",
    "input_norm", "input_centroid", "output_centroid", "unused_cosine", "unused_cosine_no_pc", "thermal_plus_1",
    "thermal_plus_half", "mean_logit", "thermal_minus_half", "thermal_minus_1", "argmin_frequency", "score",
}  # fmt: skip

Indicators = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def found(engine: Engine) -> Indicators:
    """Every indicator of the bundled model."""
    with Weights(engine.model.library, model_file.bundled()) as weights:
        return measure(engine, weights, token_categories(engine.model.vocabulary))


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """How often each token occurred in the bundled model's training text."""
    return np.array(json.loads(model_file.bundled().with_name("tiny.counts.json").read_text())["counts"])


def test_every_indicator_scores_every_token(found: Indicators, engine: Engine) -> None:
    assert found.keys() == NAMES
    assert all(values.shape == (engine.model.vocabulary.size,) for values in found.values())
    assert all(np.isfinite(values).all() for values in found.values())


@pytest.mark.parametrize(
    "name",
    ["input_norm", "unused_cosine", "mean_logit", "thermal_minus_half", "thermal_plus_half", "thermal_plus_1", "score"],
)
def test_a_high_score_is_a_token_never_seen(found: Indicators, counts: np.ndarray, name: str) -> None:
    assert auc(found[name][counts == 0], found[name][counts >= 6]) > 0.99


def test_weight_indicators_are_those_of_the_whole_matrix(found: Indicators, engine: Engine) -> None:
    vocabulary = engine.model.vocabulary
    with Weights(engine.model.library, model_file.bundled()) as weights:
        read, written = (tensor.values().astype(np.float64) for tensor in (weights.embedding, weights.unembedding))
    assert found["input_norm"] == pytest.approx(-np.linalg.norm(read, axis=1))
    assert found["output_centroid"] == pytest.approx(-np.linalg.norm(written - written.mean(axis=0), axis=1))
    unused = [
        i
        for i in range(vocabulary.size)
        if vocabulary.piece(i) in [bytes([b]) for b in (0xC0, 0xC1, *range(0xF5, 256))]
    ]
    direction = written[unused].mean(axis=0)
    cosine = written @ direction / np.linalg.norm(written, axis=1) / np.linalg.norm(direction)
    assert found["unused_cosine"] == pytest.approx(cosine)
    _, vectors = np.linalg.eigh(np.cov(written.T))
    flat = written - np.outer(written @ vectors[:, -1], vectors[:, -1])
    target = flat[unused].mean(axis=0)
    cosine = flat @ target / np.linalg.norm(flat, axis=1) / np.linalg.norm(target)
    assert found["unused_cosine_no_pc"] == pytest.approx(cosine, abs=1e-3)


def test_contexts_are_the_same_for_the_same_seed_and_differ_for_another(engine: Engine) -> None:
    first, again, other = (list(contexts.stream(engine, sequences=4, length=8, seed=seed)) for seed in (1, 1, 2))
    assert len(first) == 8 and first[0].shape == (4, engine.model.vocabulary.size)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_contexts_fit_a_model_of_few_positions(hostile: Model) -> None:
    blocks = list(contexts.stream(Engine(hostile), sequences=2, length=10_000))
    assert len(blocks) == hostile.trained_context


def test_references_are_found_without_a_list(engine: Engine) -> None:
    categories = token_categories(engine.model.vocabulary)
    low = np.zeros(len(categories))
    low[7] = 1.0
    with Weights(engine.model.library, model_file.bundled()) as weights:
        bytes_only = references(weights, categories, low)
        assert {categories[row] for row in bytes_only.rows} <= {"unused", "byte-invalid"}
        none_known: list[TokenCategory] = ["normal"] * len(categories)
        assert references(weights, none_known, low).rows[0] == 7
        none_known[100:105] = ["unreachable-several"] * 5
        assert references(weights, none_known, low).rows == tuple(range(100, 105))


PIECES = [b"a", b"b", b"ab", b"ba"]


def surveyed(compiled: Library, path: Path) -> Survey:
    with Model(compiled, path) as model, Weights(compiled, path) as weights:
        return survey(Engine(model), weights, token_categories(model.vocabulary))


@pytest.mark.parametrize(
    "shape",
    [{"tied": True}, {"softcap": 5.0}, {"bias": np.zeros(263, np.float32)}, {}],
    ids=["tied", "softcap", "bias", "untied"],
)
def test_models_of_every_head_have_every_indicator(compiled: Library, tmp_path: Path, shape: dict[str, Any]) -> None:
    found = surveyed(compiled, write_llama(tmp_path / "model.gguf", spm_vocabulary(PIECES), **shape)).indicators
    assert found.keys() == NAMES - {"score", "level", "level_direction"}  # random rows have no level
    assert all(np.isfinite(values).all() for values in found.values())
    same = found["input_centroid"] == pytest.approx(found["output_centroid"])
    assert same == ("tied" in shape or "softcap" in shape)


def test_a_bias_of_the_head_is_in_the_logits(compiled: Library, tmp_path: Path) -> None:
    """A token that the bias alone keeps down is the most suspect, whatever its row."""
    bias = np.zeros(263, np.float32)
    bias[261] = -1000.0
    path = write_llama(tmp_path / "bias.gguf", spm_vocabulary(PIECES), bias=bias)
    found = surveyed(compiled, path).indicators
    assert found["mean_logit"].argmax() == found["thermal_minus_1"].argmax() == 261


def test_padding_at_the_end_of_a_vocabulary_is_known_to_be_unused(compiled: Library, tmp_path: Path) -> None:
    vocabulary = padded(spm_vocabulary(PIECES), 5)
    reference = surveyed(compiled, write_llama(tmp_path / "padded.gguf", vocabulary)).reference
    assert reference.known and set(range(263, 268)) <= set(reference.rows)
