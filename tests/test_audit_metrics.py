"""The figures by which indicators are compared, on rankings small enough to work out by hand."""

import math

import numpy as np
import pytest
from audit.metrics import NAMES, figures, found_by_rank, recall_at_precision


def test_a_perfect_ranking_finds_every_band() -> None:
    counts = np.array([0, 0, 3, 5, 20, 50, 51, 900])
    found = figures(-counts.astype(float), counts)
    assert tuple(found) == NAMES
    assert found["auc_never"] == found["auc_rare"] == found["auc_some"] == 1.0
    assert found["recall_95"] == found["recall_95_rare"] == 1.0


def test_bands_are_compared_with_the_tokens_that_were_seen_more_often() -> None:
    counts = np.array([0, 2, 10, 100])
    # the never-seen token beats one of two; the rare one both; the one seen 10 times beats the one seen 100 times
    found = figures(np.array([2.0, 4.0, 3.0, 1.0]), counts)
    assert (found["auc_never"], found["auc_rare"], found["auc_some"]) == (0.5, 1.0, 1.0)


def test_precision_and_recall_in_the_most_suspect_two_percent() -> None:
    counts = np.full(100, 60)
    counts[[0, 50, 51, 52]] = 0
    found = figures(-np.arange(100.0), counts)
    assert (found["precision_2pc"], found["recall_2pc"]) == (0.5, 0.25)
    assert found["precision_100"] == 0.04


def test_recall_is_that_of_the_longest_list_that_is_pure_enough() -> None:
    wanted = np.array([True, False] + [True] * 19 + [False, True])
    scores = -np.arange(23.0)
    # 20 of the first 21 are wanted: 95.2 %; 21 of 23: 91 %
    assert recall_at_precision(scores, wanted) == pytest.approx(20 / 21)
    assert recall_at_precision(scores, ~wanted) == 0.0


def test_ties_count_as_their_expectation() -> None:
    wanted = np.array([True, False, False, True])
    assert found_by_rank(np.array([1.0, 1.0, 1.0, 0.0]), wanted) == pytest.approx([1 / 3, 2 / 3, 1, 2])


def test_a_token_without_a_score_ranks_last() -> None:
    counts = np.array([0, 0, 100, 100])
    assert figures(np.array([math.nan, 3.0, 2.0, 1.0]), counts)["auc_never"] == 0.5


def test_an_empty_band_has_no_figure() -> None:
    found = figures(np.array([1.0, 2.0]), np.array([0, 100]))
    assert math.isnan(found["auc_rare"]) and math.isnan(found["auc_some"])
