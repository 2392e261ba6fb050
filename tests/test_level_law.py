"""The law of the level on one row under AdamW, against brute force and against what the optimiser allows at most."""

import numpy as np
import pytest
from audit.law import Axis, closed_form, mapped, slope
from audit.reduced import Push, chances, level, push_of, random_states, settle

BATCH, STEPS = 16, 400


def test_random_states_have_the_length_and_the_coherence_asked_for() -> None:
    hidden = random_states(32, 0.6, seeds=2, contexts=256)
    assert np.linalg.norm(hidden, axis=2) == pytest.approx(np.full((2, 256), np.sqrt(32)))
    mean = hidden.mean(axis=1)
    assert np.linalg.norm(mean, axis=1) / np.sqrt(32) == pytest.approx([0.6, 0.6], abs=0.02)
    assert not np.allclose(mean[0], mean[1])


def test_a_row_of_zeros_has_its_share_of_the_vocabulary() -> None:
    hidden = random_states(8, 0.5, seeds=1, contexts=4)
    assert chances(np.zeros((1, 1, 8)), hidden) == pytest.approx(np.full((1, 1, 4), 1 / 2049))


def test_the_push_is_that_of_many_drawn_batches() -> None:
    hidden = random_states(8, 0.5, seeds=1, contexts=64)
    rows = np.random.default_rng(2).normal(size=(1, 1, 8))
    drawn = hidden[0][np.random.default_rng(3).integers(0, 64, (20_000, BATCH))]
    chance = chances(np.repeat(rows, len(drawn), axis=0), drawn)[:, 0]
    gradients = np.einsum("nb,nbw->nw", chance, drawn) / BATCH
    mean, square = push_of(rows, hidden, BATCH)
    assert np.abs(mean[0, 0] - gradients.mean(axis=0)).max() < 0.03 * np.abs(mean).max()
    assert square[0, 0] == pytest.approx(np.sqrt((gradients**2).mean(axis=0)), rel=0.03)


def test_decay_alone_keeps_a_row_within_its_reciprocal() -> None:
    hidden = random_states(32, 0.8, seeds=2, contexts=128)
    rows = settle(hidden, [Push(epsilon=0.0, decay=4.0), Push(epsilon=0.0, decay=8.0)], STEPS, BATCH)
    assert (np.abs(rows).max(axis=(0, 2)) <= [1 / 4, 1 / 8]).all()
    strong, stronger = level(rows, hidden).mean(axis=0)
    assert strong < stronger


def test_at_rest_the_decay_pulls_as_hard_as_the_push_drives() -> None:
    hidden, push = random_states(32, 0.8, seeds=1, contexts=128), Push(epsilon=1e-5, decay=0.5)
    rows = settle(hidden, [push], STEPS, BATCH)
    mean, square = push_of(rows, hidden, BATCH)
    drive = mean / (square + push.epsilon)
    assert np.linalg.norm(push.decay * rows + drive) < 0.05 * np.linalg.norm(drive)


def test_where_epsilon_holds_the_level_goes_with_it_and_where_decay_holds_it_does_not() -> None:
    hidden = random_states(32, 0.8, seeds=1, contexts=128)
    weak = settle(hidden, [Push(epsilon=e, decay=0.2) for e in (1e-5, 1e-4)], STEPS, BATCH)
    strong = settle(hidden, [Push(epsilon=e, decay=10.0) for e in (1e-12, 1e-11)], STEPS, BATCH)
    assert np.diff(np.log10(level(weak, hidden)[0])) == pytest.approx(0.9, abs=0.1)
    assert np.diff(np.log10(level(strong, hidden)[0])) == pytest.approx(0.0, abs=0.01)


def test_the_closed_form_is_small_where_epsilon_holds_and_has_no_end_where_decay_does() -> None:
    assert closed_form(1e-8, 1e-3) == pytest.approx(1e-11, rel=2e-3)
    assert closed_form(1e-8, 0.4, steadiness=0.8) == pytest.approx(0.8e-8)
    assert closed_form(1e-8, 0.8, steadiness=0.8) == np.inf


def test_an_axis_has_the_slope_of_its_level_over_seeds() -> None:
    values = (1.0, 10.0, 100.0)
    table = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    found = mapped(
        Axis("epsilon", "", values, ()), dict.fromkeys(("p", "push_over_epsilon", "x", "closed_form"), table)
    )
    assert found.slope == pytest.approx(1.0)
    assert found.interval == pytest.approx((1.0, 1.0))
    assert found.p == pytest.approx((1.5, 15.0, 150.0))


def test_the_slope_is_that_of_least_squares() -> None:
    x, y = np.array([0.0, 1.0, 3.0, 4.0]), np.array([1.0, 0.0, 2.0, 5.0])
    assert slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0])


def test_nearness_takes_each_moment_by_its_spread_and_either_side_alike() -> None:
    pytest.importorskip("torch")
    from audit.networks import nearness

    moments = np.array([[0.0, 1.0, 1.0, 3.0, -3.0], [100.0, 100.0, 100.0, 100.0, 300.0]])
    near = nearness(moments, np.array([False, True, True, False, False]))
    assert near[1] == near[2] == 0.0
    spread = [np.std([0.0, 3.0, -3.0]), np.std([100.0, 100.0, 300.0])]
    assert near[[0, 3, 4]] == pytest.approx([-1 / spread[0], -2 / spread[0], -np.hypot(4 / spread[0], 200 / spread[1])])
