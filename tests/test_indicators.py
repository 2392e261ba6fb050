"""Weight indicators against worked examples and numpy's own eigenvectors."""

import numpy as np
import pytest

from negtemp.theory import indicators

RNG = np.random.default_rng(5)
ROWS = (RNG.normal(size=(300, 12)) * np.linspace(3, 1, 12) + 2.0).astype(np.float32)


def test_norms_and_distances_of_a_worked_example() -> None:
    rows = [[3.0, 4.0], [0.0, 0.0]]
    assert indicators.norms(rows).tolist() == [5.0, 0.0]
    assert indicators.distances(rows, [3.0, 0.0]).tolist() == [4.0, 3.0]


def test_a_norm_is_summed_in_double_precision() -> None:
    assert indicators.norms(np.full((1, 4), 1e30, np.float32)).tolist() == pytest.approx([2e30], rel=1e-7)


def test_cosines_lie_between_minus_one_and_one_and_ignore_length() -> None:
    direction = RNG.normal(size=12)
    found = indicators.cosines(ROWS, direction)
    assert np.abs(found).max() <= 1
    assert indicators.cosines(ROWS * 8, direction * 4) == pytest.approx(found)
    assert indicators.cosines([direction, -direction], direction) == pytest.approx([1, -1])


def test_a_row_that_is_not_finite_is_unknown_and_disturbs_no_other() -> None:
    rows = ROWS.copy()
    rows[7, 3] = np.nan
    rows[8, 3] = np.inf
    for found, clean in (
        (indicators.norms(rows), indicators.norms(ROWS)),
        (indicators.cosines(rows, ROWS[0]), indicators.cosines(ROWS, ROWS[0])),
    ):
        assert np.isnan(found[[7, 8]]).all()
        assert np.delete(found, [7, 8]) == pytest.approx(np.delete(clean, [7, 8]))


def test_zeros_say_nothing_about_the_unused_direction() -> None:
    rows = np.vstack([ROWS[:3], np.zeros((4, 12))])
    assert indicators.unused_direction(rows) == pytest.approx(ROWS[:3].mean(axis=0, dtype=np.float64))
    assert indicators.unused_direction(np.zeros((4, 12))) is None
    assert indicators.unused_direction(np.empty((0, 12))) is None


def test_the_first_component_is_the_leading_eigenvector_of_the_covariance() -> None:
    _, vectors = np.linalg.eigh(np.cov(ROWS.T.astype(np.float64)))
    assert abs(indicators.first_component(ROWS) @ vectors[:, -1]) == pytest.approx(1.0, abs=1e-4)


def test_the_first_component_of_a_constant_is_nothing() -> None:
    assert not indicators.first_component(np.ones((5, 3))).any()


def test_without_leaves_nothing_along_the_component() -> None:
    component = indicators.first_component(ROWS)
    assert indicators.without(ROWS, component) @ component == pytest.approx(np.zeros(300), abs=1e-9)
