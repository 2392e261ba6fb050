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


def test_beyond_the_unused_no_indicator_makes_a_token_more_suspect() -> None:
    """A token in use that no context wants: far out by one indicator, usual by the other."""
    used = ranking.in_use(INDICATORS, WEIGHTS, UNUSED)
    unwanted = {**INDICATORS, "thermal_plus_1": SURPRISE.copy()}
    unwanted["thermal_plus_1"][100] = 50.0
    score = ranking.scores(unwanted, {"mean_logit": 1.0, "thermal_plus_1": 2.0}, used, UNUSED)
    mean = ranking.scores(unwanted, {"mean_logit": 1.0}, used, UNUSED)
    assert score[100] == pytest.approx((mean[100] + 2) / 3)
    assert score.max() == 1.0 > score[100]


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


# 200 tokens in use about one point, 150 suspects about another, thin in some directions as real ones are
IN_USE = np.arange(350) < 200
_SPREAD = np.random.default_rng(3).normal(size=(5, 5)) * np.array([1.0, 0.5, 0.1, 0.02, 0.01])
POINTS = np.where(IN_USE[:, None], 0.0, 30.0) + np.random.default_rng(4).normal(size=(350, 5)) @ _SPREAD.T
LINEAR = np.where(IN_USE, 0.1, 0.9)


def regrouped(points: np.ndarray, judged: np.ndarray | None = None, score: np.ndarray = LINEAR) -> np.ndarray:
    indicators = dict(zip(ranking.MOMENTS, points.T, strict=True))
    return ranking.regrouped(score, indicators, IN_USE, ~IN_USE if judged is None else judged)


def core_of(points: np.ndarray) -> np.ndarray:
    """The 50 of 150 suspects of lowest mean logit: the greatest first indicator."""
    return np.sort(np.argsort(np.where(IN_USE, -np.inf, points[:, 0]))[-50:])


def test_a_suspect_off_the_surface_of_the_others_comes_last_however_suspect_each_indicator_is() -> None:
    points = POINTS.copy()
    thinnest, towards_use = np.linalg.svd(_SPREAD)[0][:, -1], points[IN_USE].mean(axis=0) - points[~IN_USE].mean(axis=0)
    points[250] = points[~IN_USE].mean(axis=0) + thinnest * np.sign(thinnest @ towards_use)
    score = regrouped(points)
    assert (points[250] > points[IN_USE].max(axis=0)).all()
    assert score[250] == score[~IN_USE].min() < np.sort(score[~IN_USE])[1] - 0.03
    assert score[250] > 0.5 and (score[IN_USE] == LINEAR[IN_USE]).all()


def test_regrouped_is_the_mahalanobis_distance_from_the_third_of_lowest_mean_logit() -> None:
    """By its textbook form, of suspects that do not lie beyond the core."""
    core = POINTS[core_of(POINTS)]
    mean, inverse = core.mean(axis=0), np.linalg.inv(np.cov(core.T))
    outwards = mean - POINTS[IN_USE].mean(axis=0)
    inside = [i for i in range(200, 350) if (POINTS[i] - mean) @ inverse @ outwards < 0]
    squared = np.array([(POINTS[i] - mean) @ inverse @ (POINTS[i] - mean) for i in inside])
    assert len(inside) > 30
    assert regrouped(POINTS)[inside] == pytest.approx(0.5 + 0.5 / (1 + squared / 5), rel=1e-6)


def test_regrouped_knows_no_units() -> None:
    mixed = POINTS @ np.array([[2, 1, 0, 0, 0], [0, 3, 0, 0, 0], [0, 0, 1, 4, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 5.0]])
    assert regrouped(mixed - 100) == pytest.approx(regrouped(POINTS), rel=1e-6)


def test_what_lies_beyond_the_core_seen_from_tokens_in_use_is_as_suspect_as_the_core() -> None:
    judged = ~IN_USE & (np.arange(350) != 200)
    points = POINTS.copy()
    points[200] = points[IN_USE].mean(axis=0)  # not judged, so it does not move the core
    core = points[core_of(points)].mean(axis=0)
    points[200] = core + 7 * (core - points[IN_USE].mean(axis=0))
    assert regrouped(points, judged)[200] == pytest.approx(1.0, abs=1e-2)


def test_rows_that_are_unused_by_design_do_not_make_the_core() -> None:
    points = POINTS.copy()
    points[280:] = points[280] + np.array([9.0, 0, 0, 0, 0])  # copies of one another, and the most suspect
    alone = regrouped(points, (np.arange(350) >= 200) & (np.arange(350) < 280))
    assert (alone == LINEAR).all()  # a third of 80 is too small a core
    points = np.concatenate([points, POINTS[200:280] + 0.01])
    score, used = np.append(LINEAR, np.full(80, 0.9)), np.append(IN_USE, np.zeros(80, bool))
    judged = ~used & ~((np.arange(430) >= 280) & (np.arange(430) < 350))
    found = ranking.regrouped(score, dict(zip(ranking.MOMENTS, points.T, strict=True)), used, judged)
    assert len(set(found[200:280])) == 80 and len(set(found[280:350].round(12))) == 1


@pytest.mark.parametrize("suspects", [0, 140])
def test_a_core_too_small_or_without_extent_changes_nothing(suspects: int) -> None:
    few = LINEAR * np.where(np.arange(350) < 350 - suspects, 0.4, 1.0)
    assert (regrouped(POINTS, score=few) == few).all()
    flat = np.where(IN_USE[:, None], POINTS, 1.0)
    assert (regrouped(flat) == LINEAR).all()


def test_scores_dealt_anew_stay_the_same_scores_and_the_suspects_suspect() -> None:
    rng = np.random.default_rng(3)
    score, other = rng.random(200), rng.random(200)
    score[7] = other[9] = np.nan
    suspect = score >= ranking.THRESHOLD
    dealt = ranking.dealt_anew(score, other, suspect)
    assert ((dealt >= ranking.THRESHOLD) == suspect).all()
    assert (np.sort(dealt[suspect]) == np.sort(score[suspect])).all()
    same = ranking.dealt_anew(score, score, suspect)
    assert np.array_equal(same, score, equal_nan=True)
