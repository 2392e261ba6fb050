"""Distances, norms, cosines and percentiles around a centroid: against closed forms, and against numpy in float64."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from models import spm_vocabulary, write_llama
from numpy.typing import NDArray
from planted import planted
from quantised import WIDTH, quantised_copy

from negtemp.model.library import Library
from negtemp.model.weights.geometry import measure
from negtemp.model.weights.tensors import Weights
from negtemp.theory import geometry
from negtemp.theory.geometry import Geometry

Floats = NDArray[np.float64]
VOCABULARY = spm_vocabulary([b"p%d" % index for index in range(41)])


def of(matrix: NDArray[np.float32], rows: int = 7) -> Geometry:
    """The geometry of a matrix in memory, by blocks of a few rows."""
    blocks = [matrix[start : start + rows] for start in range(0, len(matrix), rows)]
    centroid = geometry.mean(map(geometry.block_sum, blocks))
    return geometry.geometry(centroid, [geometry.block_part(b.copy(), centroid.astype(np.float32)) for b in blocks])


def independent(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """(distances, norms, cosines) the plain way, in float64."""
    mean = matrix.mean(axis=0)
    norms = np.linalg.norm(matrix, axis=1)
    return np.linalg.norm(matrix - mean, axis=1), norms, matrix @ mean / norms / np.linalg.norm(mean)


def test_a_planted_centroid_and_its_distances_are_found() -> None:
    plan = planted([3.0, 0.01, 1.0, 0.5], 24, centroid_norm=5.0)
    found = of(plan.matrix)
    np.testing.assert_allclose(found.centroid, plan.centroid, atol=1e-6)
    np.testing.assert_allclose(found.distances, plan.distances, atol=1e-6)
    # two rows of equal distance may differ in the last bit, so only the order of the pairs is certain
    assert np.argsort(found.percentiles.reshape(-1, 2).mean(axis=1)).tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("centroid_norm", [0.0, 1.0, 1000.0])
def test_values_are_those_of_float64(centroid_norm: float) -> None:
    rng = np.random.default_rng(1)
    matrix = (centroid_norm / 10 + rng.normal(0, 1, (333, 100))).astype(np.float32)
    found = of(matrix)
    for got, expected in zip(
        (found.distances, found.norms, found.cosines), independent(matrix.astype(np.float64)), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("type_name", ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_K", "q6_K", "iq4_nl", "mxfp4"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_of_any_type_agrees_with_gguf_py_and_numpy_to_a_ten_thousandth(
    compiled: Library, tmp_path: Path, type_name: str, threads: int
) -> None:
    original = write_llama(tmp_path / "f32.gguf", VOCABULARY, width=WIDTH, layers=1, scale=5.0)
    path = quantised_copy(compiled, original, tmp_path / "copy.gguf", type_name)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    with Weights(compiled, path) as weights:
        for tensor in (weights.embedding, weights.unembedding):
            raw = tensors[tensor.name]
            matrix = gguf.dequantize(raw.data, raw.tensor_type).astype(np.float64)
            found = measure(tensor, threads)
            for got, expected in zip((found.distances, found.norms, found.cosines), independent(matrix), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_a_row_at_the_centroid_of_the_unembedding_has_the_mean_logit() -> None:
    """Why the article's claim can only be about the input: z_i - mean(z) = (u_i - mu)·h."""
    rng = np.random.default_rng(2)
    rows, hidden = rng.normal(size=(50, 8)), rng.normal(size=8)
    rows[7] = (rows.sum(axis=0) - rows[7]) / 49
    found = of(rows.astype(np.float32))
    assert found.percentiles[7] == 0.0
    logits = rows @ hidden
    assert logits[7] == pytest.approx(logits.mean())


def test_rows_that_are_not_finite_count_for_nothing() -> None:
    whole = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)
    spoilt = np.concatenate([whole[:11], [[np.nan] * 6, [np.inf] + [0.0] * 5], whole[11:]]).astype(np.float32)
    found, clean = of(spoilt), of(whole)
    np.testing.assert_allclose(np.delete(found.percentiles, [11, 12]), clean.percentiles)
    np.testing.assert_allclose(np.delete(found.distances, [11, 12]), clean.distances, rtol=1e-6)
    for values in (found.distances, found.norms, found.cosines, found.percentiles):
        assert np.isnan(values[[11, 12]]).all()


def test_a_row_of_zeros_has_no_direction() -> None:
    matrix = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    assert of(matrix).cosines.tolist() == [0.0, pytest.approx(1.0)]


def test_equal_rows_share_their_percentile() -> None:
    matrix = np.array([[1.0, 0.0], [1.0, 0.0], [-4.0, 0.0], [1.0, 0.0]], np.float32)
    assert of(matrix).percentiles.tolist() == [100 / 3, 100 / 3, 100.0, 100 / 3]


def test_the_shell_of_a_sphere_is_thin_and_that_of_a_ball_is_not() -> None:
    rng = np.random.default_rng(4)
    directions = rng.normal(size=(2000, 3))
    sphere = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    ball = sphere * rng.uniform(size=(2000, 1)) ** (1 / 3)
    assert geometry.shell(of(sphere.astype(np.float32)).distances).thickness < 0.05
    # radius r has density 3 r²: mean 3/4, deviation sqrt(3/80)
    figures = geometry.shell(of(ball.astype(np.float32)).distances)
    assert figures.mean == pytest.approx(3 / 4, abs=0.02)
    assert figures.deviation == pytest.approx(np.sqrt(3 / 80), abs=0.02)
    assert figures.quantiles[geometry.QUANTILES.index(0.5)] == pytest.approx(0.5 ** (1 / 3), abs=0.02)


def test_a_matrix_without_a_finite_row_has_no_figures() -> None:
    found = of(np.full((3, 2), np.nan, np.float32))
    assert np.isnan(found.percentiles).all()
    assert np.isnan(geometry.shell(found.distances).mean)


@pytest.mark.parametrize("remembered", [0, 5 * 4 * WIDTH, 10**9])
def test_it_does_not_matter_how_many_rows_are_remembered(
    compiled: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    path = write_llama(tmp_path / "m.gguf", VOCABULARY, width=WIDTH, layers=1)
    with Weights(compiled, path) as weights:
        expected = independent(np.concatenate([b.copy() for _, b in weights.embedding.blocks()]).astype(np.float64))
        monkeypatch.setattr("negtemp.model.weights.geometry._REMEMBERED_BYTES", remembered)
        monkeypatch.setattr("negtemp.model.weights.geometry._SLOW_TYPES", ("f32",))
        found = measure(weights.embedding, 2)
    np.testing.assert_allclose(found.distances, expected[0], rtol=1e-5)
    np.testing.assert_allclose(found.cosines, expected[2], atol=1e-5)
