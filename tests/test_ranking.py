"""The score: 0 for tokens in use, 1 for tokens known to be unused, a rank where there is no such scale."""

import numpy as np
import pytest

from negtemp.theory import ranking
from negtemp.theory.statistics import auc

RNG = np.random.default_rng(2)
UNUSED = np.arange(200) < 20
# nats of surprise: unused tokens at 9, the others about 2
SURPRISE = np.where(UNUSED, 9.0, RNG.normal(2.0, 0.5, 200))
INDICATORS = {"thermal_plus_1": SURPRISE, "mean_logit": 3 * SURPRISE - 50, "flat": np.zeros(200)}


WEIGHTS = {"mean_logit": 1.0, "thermal_plus_1": 2.0}


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_in_use_is_what_is_not_like_the_unused_whatever_their_share(share: float) -> None:
    """Three of the unused tokens are known to be; the others are found by being like them."""
    count = round(200 * share)
    surprise = np.where(np.arange(200) < count, 9.0, RNG.normal(2.0, 0.5, 200))
    known = np.arange(200) < 3
    found = {"thermal_plus_1": surprise, "mean_logit": 3 * surprise}
    assert (ranking.in_use(found, WEIGHTS, known) == (np.arange(200) >= count)).all()


def test_without_an_unused_token_the_more_probable_half_is_in_use() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, np.zeros(200, bool))
    assert used.sum() == 100
    assert SURPRISE[used].max() <= SURPRISE[~used].min()


def test_scores_are_zero_for_the_median_in_use_and_one_for_the_unused() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    score = ranking.scores(INDICATORS, {"mean_logit": 1.0, "thermal_plus_1": 2.0}, used, UNUSED)
    assert np.median(score[used]) == pytest.approx(0.0)
    assert score[UNUSED] == pytest.approx(1.0)


def test_units_do_not_matter() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    plain = ranking.scores(INDICATORS, {"thermal_plus_1": 1.0}, used, UNUSED)
    scaled = ranking.scores({"thermal_plus_1": SURPRISE * 7 - 3}, {"thermal_plus_1": 1.0}, used, UNUSED)
    assert plain == pytest.approx(scaled)


def test_weights_say_how_much_each_indicator_counts() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    noisy = {**INDICATORS, "noise": RNG.normal(size=200) + 5 * UNUSED}
    one, other, both = (
        ranking.scores(noisy, weights, used, UNUSED)
        for weights in ({"noise": 1.0}, {"thermal_plus_1": 1.0}, {"noise": 1.0, "thermal_plus_1": 3.0})
    )
    assert both == pytest.approx((one + 3 * other) / 4)


def test_without_an_unused_token_the_score_is_a_share_of_the_ranking() -> None:
    score = ranking.scores(
        INDICATORS, {"thermal_plus_1": 1.0}, ranking.in_use(INDICATORS, WEIGHTS, UNUSED), np.zeros(200, bool)
    )
    assert (score.min(), score.max()) == pytest.approx((0.0, (199 - 9.5) / 199))


def test_an_indicator_that_tells_nothing_apart_does_not_divide_by_zero() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    score = ranking.scores(INDICATORS, {"flat": 1.0, "thermal_plus_1": 1.0}, used, UNUSED)
    assert np.isfinite(score).all()
    assert auc(score[UNUSED], score[~UNUSED]) == 1.0


def test_structure_is_certain_where_unused_tokens_stand_out_and_chance_where_they_do_not() -> None:
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    assert ranking.structure(SURPRISE, used, UNUSED) == 1.0
    assert ranking.structure(INDICATORS["flat"], used, UNUSED) == 0.5
    assert np.isnan(ranking.structure(SURPRISE, used, np.zeros(200, bool)))


def test_tokens_without_a_score_come_last_and_equal_ones_by_id() -> None:
    assert ranking.order(np.array([0.5, np.nan, 0.9, 0.5])).tolist() == [2, 0, 3, 1]
