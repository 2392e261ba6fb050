"""Precision and recall of a worked example, and the best cut through a ranking against every cut."""

import math

import numpy as np
import pytest

from negtemp.theory.statistics import recall_at_precision, retrieval

RNG = np.random.default_rng(11)


def test_precision_and_recall_of_a_worked_example() -> None:
    assert retrieval([1, 1, 1, 0, 0], [1, 1, 0, 1, 1]) == (2 / 3, 0.5)


def test_nothing_chosen_and_nothing_right_have_no_ratio() -> None:
    assert math.isnan(retrieval([0, 0], [1, 0]).precision)
    assert math.isnan(retrieval([1, 0], [0, 0]).recall)
    assert math.isnan(recall_at_precision([1.0], [False]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95])
def test_the_best_cut_is_that_of_trying_every_threshold(seed: int, precision: float) -> None:
    rng = np.random.default_rng(seed)
    right = rng.random(60) < 0.4
    scores = np.round(rng.normal(size=60) + 1.5 * right, 1)  # rounded, so that there are ties
    tried = [retrieval(scores >= cut, right) for cut in scores]
    best = max((found.recall for found in tried if found.precision >= precision), default=0.0)
    assert recall_at_precision(scores, right, precision) == pytest.approx(best)


def test_a_token_without_a_score_comes_last() -> None:
    assert recall_at_precision([2.0, math.nan, 1.0], [True, True, True], 1.0) == 1.0
    assert recall_at_precision([2.0, math.nan], [False, True], 0.95) == 0.0
