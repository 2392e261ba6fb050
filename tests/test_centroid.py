"""Placements around a centroid: closed forms on planted models, controls, ties, bias, padding, and the true model."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from models import write_llama
from planted import planted
from vocabularies import BYTE, NORMAL, padded, spm_vocabulary

from negtemp.api import LoadedModel
from negtemp.experiments import centroid
from negtemp.experiments.centroid import Measured
from negtemp.experiments.generate import generate
from negtemp.experiments.settings import Settings
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.model.weights.tensors import Weights
from negtemp.records import Completion, Placement, Step, TokenGeometry, from_line, to_line
from negtemp.theory.statistics import auc
from negtemp.theory.temperature import Temperature

VOCABULARY = spm_vocabulary([b"p%d" % index for index in range(41)])
TOKENS = len(VOCABULARY)
FIRST_PIECE = 3 + 256
# the bytes lie within 1.0 of the centroid and the pieces farther out, as in real vocabularies
DISTANCES = np.linspace(0.1, 2.0, TOKENS // 2)
PLAN = planted(DISTANCES.tolist(), 32)


@pytest.fixture(scope="module")
def untied(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Weights, Vocabulary]]:
    """A model of planted matrices: distances grow with the id in the embedding and fall in the unembedding."""
    path = write_llama(
        tmp_path_factory.mktemp("planted") / "untied.gguf", VOCABULARY, layers=1, embedding=PLAN.matrix,
        unembedding=planted(DISTANCES[::-1].tolist(), 32, seed=1).matrix,
    )  # fmt: skip
    with Weights(compiled, path) as weights, Model(compiled, path, vocabulary_only=True) as model:
        yield weights, model.vocabulary


@pytest.fixture(scope="module")
def category() -> list[str]:
    """What the file says of each token, without the round trip, which random pieces seldom survive."""
    return ["byte" if kind == BYTE else "normal" if kind == NORMAL else "control" for _, kind in VOCABULARY]


@pytest.fixture(scope="module")
def matrices(untied: tuple[Weights, Vocabulary], category: list[str]) -> list[Measured]:
    """Both matrices, measured."""
    return centroid.measured(untied[0], category)


def test_nearest_and_farthest_are_the_planted_ones(matrices: list[Measured]) -> None:
    embedding, unembedding = matrices
    assert set(centroid.by_distance(embedding)[:2]) == {0, 1}
    assert set(centroid.by_distance(embedding)[-2:]) == {TOKENS - 2, TOKENS - 1}
    assert set(centroid.by_distance(unembedding)[:2]) == {TOKENS - 2, TOKENS - 1}


def test_ordinary_tokens_are_told_apart(matrices: list[Measured]) -> None:
    order = centroid.by_distance(matrices[0], ordinary_only=True)
    assert sorted(order) == list(range(FIRST_PIECE, TOKENS))
    assert order[0] in (FIRST_PIECE, FIRST_PIECE + 1)
    assert centroid.by_distance(matrices[0])[0] < FIRST_PIECE


def test_a_summary_states_the_shell(matrices: list[Measured], category: list[str]) -> None:
    record = centroid.summary(matrices[0], category)
    assert (record.matrix, record.tied, record.type) == ("embedding", False, "f32")
    assert (record.rows, record.dim, record.padding_rows) == (300, 32, 0)
    assert record.distance_mean == pytest.approx(DISTANCES.mean(), abs=1e-5)
    assert record.distance_deviation == pytest.approx(DISTANCES.std(), abs=1e-5)
    assert record.centroid_norm == pytest.approx(1.0, abs=1e-6)
    counts = {name: found.tokens for name, found in record.categories.items()}
    assert counts == {"byte": 256, "control": 3, "normal": 41}
    assert from_line(to_line(record)) == record


def test_token_records_carry_the_planted_distance(
    matrices: list[Measured], untied: tuple[Weights, Vocabulary], category: list[str]
) -> None:
    for record in centroid.tokens(matrices[0], untied[1], category, [90, 299]):
        assert record.distance == pytest.approx(PLAN.distances[record.token_id], abs=1e-5)
        assert record.piece == untied[1].piece(record.token_id).decode("ascii")
        assert from_line(to_line(record)) == record


def test_the_nearest_tokens_have_an_auc_of_one_and_the_farthest_of_nought(matrices: list[Measured]) -> None:
    nearest, _ = centroid.placements(matrices[0], "given", range(10))
    farthest, _ = centroid.placements(matrices[0], "given", range(TOKENS - 10, TOKENS))
    assert (nearest.auc, farthest.auc) == (1.0, 0.0)
    assert nearest.p is not None and nearest.p < 0.001
    assert nearest.median_percentile == pytest.approx(100 * 4.5 / (TOKENS - 1), abs=0.2)


def test_a_set_that_is_spread_evenly_is_nowhere_in_particular(matrices: list[Measured]) -> None:
    everywhere, _ = centroid.placements(matrices[0], "given", range(0, TOKENS, 10))
    assert everywhere.auc == pytest.approx(0.5, abs=0.05)
    assert everywhere.p is not None and everywhere.p > 0.2


def test_among_ordinary_tokens_bytes_count_neither_as_ours_nor_as_the_rest(matrices: list[Measured]) -> None:
    chosen = [10, FIRST_PIECE + 3, FIRST_PIECE + 20]
    _, ordinary = centroid.placements(matrices[0], "given", chosen)
    distances = matrices[0].geometry.distances
    rest = [i for i in range(FIRST_PIECE, TOKENS) if i not in chosen]
    assert ordinary.token_ids == tuple(chosen[1:])
    assert ordinary.auc == pytest.approx(auc(-distances[chosen[1:]], -distances[rest]))


def test_a_token_emitted_twice_counts_once(matrices: list[Measured]) -> None:
    assert list(centroid.placements(matrices[0], "x", [7, 7, 9, 7])) == list(
        centroid.placements(matrices[0], "x", [9, 7])
    )


def test_a_set_without_ordinary_tokens_has_no_figures(matrices: list[Measured]) -> None:
    _, ordinary = centroid.placements(matrices[0], "given", [0, 5])
    assert (ordinary.token_ids, ordinary.auc, ordinary.p, ordinary.median_percentile) == ((), None, None, None)


def test_a_tied_model_has_one_matrix(compiled: Library, tmp_path: Path, category: list[str]) -> None:
    with Weights(compiled, write_llama(tmp_path / "tied.gguf", VOCABULARY, tied=True)) as weights:
        (only,) = centroid.measured(weights, category)
    assert (only.matrix, only.tied) == ("embedding", True)


def test_rows_beyond_the_vocabulary_are_left_out_and_counted(
    compiled: Library, tmp_path: Path, category: list[str], matrices: list[Measured]
) -> None:
    more = np.concatenate([PLAN.matrix, np.full((20, 32), 9.0, np.float32)])
    with Weights(compiled, write_llama(tmp_path / "more.gguf", VOCABULARY, embedding=more, tied=True)) as weights:
        (only,) = centroid.measured(weights, category)
        assert weights.tokens == TOKENS
    assert centroid.summary(only, category).padding_rows == 20
    np.testing.assert_array_equal(only.geometry.distances, matrices[0].geometry.distances)


def test_padding_tokens_are_unused_and_not_ordinary(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "padded.gguf", padded(spm_vocabulary([b"a", b"b"]), 3))
    with Model(compiled, path, vocabulary_only=True) as model:
        found = centroid.categories(model.vocabulary)
    assert found[-3:] == ["unused"] * 3
    assert set(found[-3:]) <= set(centroid.EXTRAORDINARY)


def test_random_states_find_the_tokens_that_only_the_unembedding_favours(
    untied: tuple[Weights, Vocabulary], compiled: Library, tmp_path: Path
) -> None:
    """By brute force in float64, and with a bias that makes one token the least likely whatever the state."""
    weights, _ = untied
    states = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32).astype(np.float64)
    head = np.concatenate([block.copy() for _, block in weights.unembedding.blocks()]).astype(np.float64)
    assert centroid.random_argmins(weights, TOKENS) == (head @ states.T).argmin(axis=0).tolist()
    bias = np.zeros(TOKENS, np.float32)
    bias[123] = -1e6
    with Weights(compiled, write_llama(tmp_path / "biased.gguf", VOCABULARY, bias=bias)) as biased:
        assert set(centroid.random_argmins(biased, TOKENS)) == {123}


def test_a_token_at_the_centroid_of_the_unembedding_is_never_the_least_likely(
    untied: tuple[Weights, Vocabulary], matrices: list[Measured]
) -> None:
    weights, _ = untied
    argmins = centroid.random_argmins(weights, TOKENS)
    assert matrices[1].geometry.percentiles[argmins].min() > 50


def test_never_seen_tokens_of_the_true_model_are_nearest_to_the_input_centroid(
    compiled: Library, bundled: Model
) -> None:
    """The ground truth that ships with the model: how often each id occurred in training."""
    seen = np.array(json.loads(model_file.bundled().with_name("tiny.counts.json").read_text())["counts"])
    with Weights(compiled, bundled.path) as weights:
        embedding, _ = centroid.measured(weights, centroid.categories(bundled.vocabulary))
    distances = embedding.geometry.distances
    assert auc(-distances[seen == 0], -distances[seen > 0]) > 0.95


def test_every_step_carries_the_percentile_of_its_input_embedding(
    compiled: Library, tmp_path: Path, category: list[str], matrices: list[Measured]
) -> None:
    path = write_llama(tmp_path / "m.gguf", VOCABULARY, layers=1, embedding=PLAN.matrix, seed=5)
    with Model(compiled, path) as model:
        records = list(generate(Engine(model), ["p1"], Temperature.of(-1.0), 1, Settings(n_predict=9, ignore_eos=True)))
    steps, completion = records[:-1], records[-1]
    assert isinstance(completion, Completion)
    percentiles = [step.centroid_percentile for step in steps if isinstance(step, Step)]
    expected = matrices[0].geometry.percentiles[list(completion.token_ids)]
    assert percentiles == expected.tolist()
    assert completion.median_centroid_percentile == np.median(expected)


def test_a_percentile_that_is_not_known_is_left_out() -> None:
    step = Step(
        sequence=0, position=0, token_id=1, raw=b"x", logprob=-1.0, rank=5, entropy=1.0, gap=0.0, sampled_logprob=-0.5,
    )  # fmt: skip
    assert "centroid_percentile" not in step.to_dict()
    known = dataclasses.replace(step, centroid_percentile=12.5)
    assert known.to_dict()["centroid_percentile"] == 12.5
    assert [from_line(to_line(record)) for record in (step, known)] == [step, known]


def test_python_gives_what_the_experiment_gives(compiled: Library, bundled: Model) -> None:
    api = LoadedModel(Engine(bundled))
    records = list(api.centroid(300, 301, top=2))
    given = [record for record in records if isinstance(record, Placement) and record.source == "given"]
    assert [(record.matrix, record.among) for record in given] == [
        ("embedding", "all"), ("embedding", "ordinary"), ("unembedding", "all"), ("unembedding", "ordinary"),
    ]  # fmt: skip
    listed = [r.token_id for r in records if isinstance(r, TokenGeometry) and r.matrix == "embedding"]
    # two at each end of all and of the ordinary, the given ones, and the control's
    assert {300, 301} <= set(listed) and len(listed) <= 8 + 2 + 64
    assert not any(isinstance(record, Placement) for record in api.centroid(top=1))


def test_a_tokenizer_that_does_not_fit_costs_only_the_finer_categories(compiled: Library, tmp_path: Path) -> None:
    """No text gives any of these pieces back, since nothing builds them up; the geometry does not mind."""
    path = write_llama(tmp_path / "odd.gguf", spm_vocabulary([b"qwertz", b"asdfg"]))
    with Model(compiled, path, vocabulary_only=True) as model:
        found = centroid.categories(model.vocabulary)
    assert found[:4] == ["unknown", "control", "control", "byte"]
    assert found[-2:] == ["normal", "normal"]
