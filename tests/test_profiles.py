"""Logit profiles: the distance of two projections is the root-mean-square difference of the logits they stand for."""

import numpy as np
import pytest

from negtemp.theory.profiles import EACH, GROUPS, ProfileSums, distances

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 3, (512, 40)).astype(np.float32)


def profiles(logits: np.ndarray, pieces: int = 16) -> np.ndarray:
    sums = ProfileSums(logits.shape[1])
    for block in np.array_split(logits, pieces):
        sums.add(block)
    return sums.profiles()


def test_distances_are_those_of_the_logits_within_the_error_of_the_projections() -> None:
    """Against the definition, over all pairs: unbiased, and off by 1 / sqrt(2 projections) in one deviation."""
    found = profiles(LOGITS)
    exact = np.sqrt(((LOGITS[:, :, None] - LOGITS[:, None, :]) ** 2).mean(axis=0))
    sketched = np.stack([distances(found, point) for point in found])
    ratio = (sketched / np.where(exact > 0, exact, 1))[~np.eye(40, dtype=bool)]
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert ratio.std() == pytest.approx(1 / np.sqrt(2 * GROUPS * EACH), rel=0.25)


def test_copies_are_at_no_distance_from_each_other() -> None:
    logits = LOGITS.copy()
    logits[:, 7] = logits[:, 3]
    found = profiles(logits)
    assert distances(found, found[3])[7] == 0.0


def test_what_is_added_to_every_logit_of_a_context_does_not_matter() -> None:
    shifted = LOGITS + RNG.normal(0, 50, (512, 1)).astype(np.float32)
    assert profiles(shifted) == pytest.approx(profiles(LOGITS), abs=2e-3)


def test_a_mask_leaves_the_other_tokens_as_without_it() -> None:
    masked = LOGITS.copy()
    masked[:, 4] = -np.inf
    expected = profiles(np.delete(LOGITS, 4, axis=1))
    assert np.delete(profiles(masked), 4, axis=0) == pytest.approx(expected, abs=1e-4)


def test_every_group_has_contexts_of_its_own() -> None:
    """Contexts dealt to one group do not move the projections of another."""
    changed = LOGITS.copy()
    changed[:32] += RNG.normal(size=(32, 40)).astype(np.float32)  # the first block, so the first group
    before, after = profiles(LOGITS), profiles(changed)
    moved = (before != after).any(axis=0).reshape(GROUPS, EACH).any(axis=1)
    assert moved.tolist() == [True] + [False] * (GROUPS - 1)


def test_fewer_blocks_than_groups_give_fewer_projections() -> None:
    assert profiles(LOGITS, pieces=2).shape == (40, 2 * EACH)
