"""The level: found where tokens coincide, on whichever side of the others it lies, and nowhere else."""

import numpy as np
import pytest

from negtemp.theory import level
from negtemp.theory.level import Level
from negtemp.theory.profiles import EACH, GROUPS

VOCAB, NEVER = 4000, 60
ALL = np.ones(VOCAB, bool)
NONE_KNOWN = np.zeros(VOCAB, bool)


def vocabulary(never: int = NEVER, scatter: float = 0.01, at: float = 2.0, seed: int = 1) -> np.ndarray:
    """Profiles of trained tokens, log-normal distances from the origin, and of `never` that coincide at `at`."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(VOCAB, GROUPS * EACH))
    points *= 7 * np.exp(rng.normal(0, 0.15, (VOCAB, 1)))
    points[:never] = at + scatter * rng.normal(size=(never, GROUPS * EACH))
    return points.astype(np.float32)


def found(profiles: np.ndarray, known: np.ndarray = NONE_KNOWN, eligible: np.ndarray = ALL) -> Level:
    result = level.find(profiles, known, eligible)
    assert result is not None
    return result


@pytest.mark.parametrize("at", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("never", [8, NEVER, 2500])
def test_tokens_that_coincide_are_the_level_wherever_it_lies_and_whatever_their_share(at: float, never: int) -> None:
    members = found(vocabulary(never, at=at)).members
    assert (np.flatnonzero(members) == np.arange(never)).all()


def test_fewer_than_eight_that_coincide_are_no_level() -> None:
    assert level.find(vocabulary(7), NONE_KNOWN, ALL) is None


def test_trained_tokens_have_no_level() -> None:
    known = np.arange(VOCAB) < 20
    assert level.find(vocabulary(0), known, ALL) is None


def test_where_all_tokens_coincide_none_is_apart_and_there_is_no_level() -> None:
    assert level.find(np.ones((VOCAB, GROUPS * EACH), np.float32), NONE_KNOWN, ALL) is None


def test_tokens_known_to_be_unused_that_do_not_coincide_are_no_level() -> None:
    assert level.find(vocabulary(scatter=2.0), np.arange(VOCAB) < NEVER, ALL) is None


def test_a_level_that_is_not_sharp_is_found_from_a_token_known_to_be_unused() -> None:
    """Quantised rows scatter more than the finest grid is wide."""
    members = found(vocabulary(scatter=0.2), np.arange(VOCAB) < 3).members
    assert members[:NEVER].all() and members.sum() == NEVER


def test_rows_that_a_converter_added_are_no_level() -> None:
    eligible = np.arange(VOCAB) >= NEVER
    assert level.find(vocabulary(), NONE_KNOWN, eligible) is None


def test_of_two_levels_the_one_with_more_members_is_taken() -> None:
    profiles = vocabulary(NEVER)
    profiles[100:120] = -3.0
    assert np.flatnonzero(found(profiles, np.arange(VOCAB) == 100).members).tolist() == list(range(NEVER))


def loosely_coinciding() -> np.ndarray:
    """A model that hardly learned: most tokens in use lie together, though not as near as those never trained."""
    profiles = vocabulary(NEVER)
    rng = np.random.default_rng(2)
    profiles[1000:2500] = -4 + 0.3 * rng.normal(size=(1500, GROUPS * EACH))
    return profiles


@pytest.mark.parametrize("known", [NEVER, 8])
def test_where_tokens_in_use_nearly_coincide_too_the_level_is_the_other(known: int) -> None:
    members = found(loosely_coinciding(), np.arange(VOCAB) < known).members
    assert np.flatnonzero(members).tolist() == list(range(NEVER))


@pytest.mark.parametrize(
    ("scatter", "depth", "falls"), [(0.3, 1.0, True), (0.01, 1.0, False), (0.3, -1.0, False)],
    ids=["loose and lowest", "coinciding", "loose and in the middle"],
)  # fmt: skip
def test_a_fall_is_a_level_that_is_loose_and_the_lowest(scatter: float, depth: float, falls: bool) -> None:
    result = found(vocabulary(scatter=scatter), np.arange(VOCAB) < NEVER)
    lowness = np.where(result.suspect, depth, np.random.default_rng(1).uniform(-2, 0, VOCAB))
    assert result.is_a_fall(lowness) is falls


def test_a_token_without_a_number_has_no_distance_and_disturbs_no_other() -> None:
    profiles, eligible = vocabulary(), ALL.copy()
    profiles[2000], eligible[2000] = np.nan, False
    result = found(profiles, eligible=eligible)
    assert np.isnan(result.distance[2000]) and not result.suspect[2000] and np.isnan(result.scores()[2000])
    assert result.members.sum() == NEVER


def test_distances_are_from_the_median_of_the_members() -> None:
    profiles = vocabulary()
    centre = np.median(profiles[:NEVER], axis=0)
    expected = np.sqrt(((profiles - centre) ** 2).mean(axis=1))
    assert found(profiles).distance == pytest.approx(expected, rel=1e-4)


def test_the_threshold_lets_in_as_few_tokens_in_use_as_promised() -> None:
    """Tokens on the way from the level to the others are suspect; by the law of the others next to none of these is."""
    profiles = vocabulary()
    centre = profiles[:NEVER].mean(axis=0)
    shares = np.linspace(0.02, 0.3, 200)[:, None]
    profiles[100:300] = centre + shares * (profiles[100:300] - centre)
    result = found(profiles)
    assert result.suspect[:NEVER].all() and result.suspect[100:200].all()
    assert (result.suspect & (np.arange(VOCAB) >= 300)).sum() <= 1
    assert result.false_share <= level.FALSE_SHARE


def test_the_law_of_tokens_in_use_is_read_from_the_far_side_alone() -> None:
    """A tail of hardly trained tokens towards the level moves neither the mode nor the spread by much."""
    clean, tailed = vocabulary(), vocabulary()
    centre = tailed[:NEVER].mean(axis=0)
    tailed[100:500] = centre + np.linspace(0.1, 0.6, 400)[:, None] * (tailed[100:500] - centre)
    before, after = found(clean).in_use, found(tailed).in_use
    assert after.mode == pytest.approx(before.mode, abs=0.03)
    assert after.spread == pytest.approx(before.spread, rel=0.1)


def test_every_group_of_contexts_counts_the_members_alone() -> None:
    profiles = vocabulary()
    profiles[:10, :EACH] += 5  # ten of them lie elsewhere in the contexts of the first group
    result = found(profiles)
    assert result.by_group[0] == NEVER - 10
    assert result.by_group[1:] == (NEVER,) * (GROUPS - 1)


def test_scores_are_one_at_the_level_a_half_at_the_threshold_and_zero_in_the_middle() -> None:
    result = found(vocabulary(scatter=0.0))
    score = result.scores()
    assert score[:NEVER] == pytest.approx(1.0)
    assert ((score >= 0.5) == result.suspect).all()
    assert np.median(score[~result.suspect]) == pytest.approx(0.0, abs=1e-9)
    order = np.argsort(result.distance, kind="stable")
    assert (np.diff(score[order]) <= 1e-12).all()


def test_directions_order_tokens_where_those_of_the_level_coincide_too() -> None:
    result = found(vocabulary())
    chord = np.where(result.members, 0.001, 1.0)
    chord[3000], chord[3001] = 0.5, 1.4
    score = result.scores(chord)
    assert ((score >= 0.5) == result.suspect).all()
    nearness = np.sqrt(result.distance * chord)
    order = np.argsort(np.where(result.suspect, -1e9, 0) + nearness)
    assert (np.diff(score[order]) <= 1e-12).all()


def test_directions_that_scatter_at_the_level_are_left_out() -> None:
    result = found(vocabulary())
    chord = np.random.default_rng(0).uniform(0.9, 1.1, VOCAB)
    assert (result.scores(chord) == result.scores()).all()
