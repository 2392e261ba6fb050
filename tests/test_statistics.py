"""Each statistic against a definition written out, a known value or a limit."""

import doctest
import math

import numpy as np
import pytest

from negtemp.theory import statistics


def test_the_worked_examples_hold() -> None:
    assert doctest.testmod(statistics).failed == 0


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    p, n = rng.integers(0, 10, 30), rng.integers(0, 10, 40)
    pairs = np.mean([(a > b) + 0.5 * (a == b) for a in p for b in n])
    assert statistics.auc(p, n) == pytest.approx(pairs)


def test_auc_turned_round_is_its_complement() -> None:
    rng = np.random.default_rng(2)
    p, n = rng.normal(1, 1, 50), rng.normal(0, 1, 60)
    assert statistics.auc(p, n) + statistics.auc(n, p) == pytest.approx(1)
    assert statistics.auc(-p, -n) == pytest.approx(statistics.auc(n, p))


def test_a_permutation_p_is_small_for_an_extreme_choice_and_uniform_for_a_random_one() -> None:
    values = np.arange(1000.0)
    assert statistics.permutation_p(values[:20], values, 999) == pytest.approx(0.001)
    rng = np.random.default_rng(3)
    random = [statistics.permutation_p(rng.choice(values, 20, False), values, 199, seed) for seed in range(100)]
    assert 0.35 < np.mean(random) < 0.65


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_a_bootstrap_interval_covers_the_mean_about_as_often_as_it_says(shift: float) -> None:
    rng = np.random.default_rng(4)
    inside = 0
    for seed in range(200):
        low, high = statistics.bootstrap(rng.normal(shift, 1, 40), seed, resamples=400)
        inside += low <= shift <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_the_interval_of_a_difference_is_that_of_normal_theory() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(2, 1, 400), rng.normal(0, 1, 400)
    low, high = statistics.bootstrap_difference(a, b)
    half = statistics.Z_95 * math.sqrt(a.var() / 400 + b.var() / 400)
    assert (low + high) / 2 == pytest.approx(a.mean() - b.mean(), abs=0.02)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3)])
def test_wilson_solves_its_own_equation(successes: int, trials: int) -> None:
    """At each end e: (share - e)^2 = z^2 e (1 - e) / n."""
    share = successes / trials
    for end in statistics.wilson(successes, trials):
        assert (share - end) ** 2 == pytest.approx(statistics.Z_95**2 * end * (1 - end) / trials, abs=1e-12)


def test_spearman_sees_order_only() -> None:
    values = np.random.default_rng(6).normal(size=50)
    assert statistics.spearman(values, np.exp(values)) == pytest.approx(1)
    assert statistics.spearman(values, -(values**3)) == pytest.approx(-1)
    assert math.isnan(statistics.spearman(values, np.ones(50)))


def test_nothing_gives_nan_and_no_error() -> None:
    assert math.isnan(statistics.auc([], [1.0]))
    assert math.isnan(statistics.permutation_p([], [1.0]))
    assert math.isnan(statistics.bootstrap([]).low)
    assert statistics.wilson(0, 0) == (0.0, 1.0)
