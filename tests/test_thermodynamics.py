"""The thermodynamics of one distribution: closed forms, identities, and the one-beta specification in `boltzmann`."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from negtemp.theory import axis, boltzmann
from negtemp.theory import thermodynamics as t

LOGITS = arrays(np.float64, st.integers(1, 40), elements=st.floats(-30, 30, allow_nan=False, width=32))
BETAS = (-math.inf, -1000.0, -3.0, -0.01, 0.0, 1e-4, 0.5, 1.0, 40.0, math.inf)
SIGNS = pytest.mark.parametrize("sign", t.SIGNS, ids=["above", "below"])


def state(logits: object, beta: float) -> dict[str, float]:
    """All that `curves` says at one beta."""
    curves = t.curves(np.asarray(logits), [beta])
    return {name: float(getattr(curves, name)[0]) for name in t.Curves.__slots__}


@given(LOGITS)
def test_a_grid_says_what_the_specification_says_at_each_beta(z: np.ndarray) -> None:
    curves = t.curves(z, BETAS)
    for index, beta in enumerate(BETAS):
        assert curves.entropy[index] == pytest.approx(boltzmann.entropy(z, beta), abs=1e-9)
        assert curves.energy[index] == pytest.approx(boltzmann.energy(z, beta), abs=1e-9)
        assert curves.heat_capacity[index] == pytest.approx(boltzmann.heat_capacity(z, beta), rel=1e-6, abs=1e-9)
        assert curves.probability[index] == pytest.approx(boltzmann.probabilities(z, beta).max(), abs=1e-12)


@pytest.mark.parametrize("beta", [-30.0, -2.0, -0.1, 0.0, 0.7, 5.0, 600.0])
@pytest.mark.parametrize("gap", [0.25, 1.0, 7.0])
def test_two_levels_have_schottky_s_heat_capacity(gap: float, beta: float) -> None:
    """C = x² e^-x / (1 + e^-x)² with x = |beta| gap; U = -gap e^x/(1 + e^x); S = ln(1 + e^-x) + x e^-x/(1 + e^-x)."""
    x = abs(beta) * gap
    got = state([0.0, gap], beta)
    excited = math.exp(-x) / (1 + math.exp(-x))
    assert got["heat_capacity"] == pytest.approx(x * x * math.exp(-x) / (1 + math.exp(-x)) ** 2, rel=1e-9)
    assert got["energy"] == pytest.approx(-gap * (1 - excited if beta >= 0 else excited), rel=1e-12)
    assert got["entropy"] == pytest.approx(math.log1p(math.exp(-x)) + x * excited, rel=1e-12)


def test_what_little_entropy_is_left_far_out_keeps_its_digits() -> None:
    """Two levels at x = 600: S = (1 + x) e^-x to first order, where 1 - p has no digit left in float64."""
    assert state([0.0, 1.0], 600.0)["entropy"] == pytest.approx(601 * math.exp(-600), rel=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_equal_logits_are_uniform_at_every_beta(beta: float) -> None:
    got = state(np.full(7, 3.0), beta)
    assert got["entropy"] == pytest.approx(math.log(7))
    assert (got["energy"], got["heat_capacity"], got["probability"]) == pytest.approx((-3.0, 0.0, 1 / 7))


@pytest.mark.parametrize(("beta", "tied"), [(math.inf, 2), (-math.inf, 3)], ids=["greedy", "antigreedy"])
def test_entropy_falls_to_the_logarithm_of_the_ties(beta: float, tied: int) -> None:
    z = [5.0, 5.0, 1.0, 0.0, 0.0, 0.0]
    assert state(z, beta)["entropy"] == pytest.approx(math.log(tied))
    assert state(z, beta)["probability"] == pytest.approx(1 / tied)
    assert t.ties(z, 1 if beta > 0 else -1) == tied


def test_log_z_at_the_ends_is_infinite_unless_the_extreme_is_zero() -> None:
    assert state([2.0, -1.0], math.inf)["log_z"] == math.inf
    assert state([2.0, 1.0], -math.inf)["log_z"] == -math.inf
    assert state([0.0, 0.0, -1.0], math.inf)["log_z"] == pytest.approx(math.log(2))


@given(LOGITS, st.floats(-5, 5))
def test_entropy_is_log_z_plus_beta_u(z: np.ndarray, beta: float) -> None:
    got = state(z, beta)
    assert got["entropy"] == pytest.approx(got["log_z"] + beta * got["energy"], abs=1e-9)


@given(arrays(np.float64, 12, elements=st.floats(-5, 5)), st.floats(-3, 3))
def test_entropy_changes_by_minus_beta_times_the_variance(z: np.ndarray, beta: float) -> None:
    """dS/dbeta = -beta Var(z), by a central difference."""
    step = 1e-4
    slope = (state(z, beta + step)["entropy"] - state(z, beta - step)["entropy"]) / (2 * step)
    p = boltzmann.probabilities(z, beta)
    variance = float(p @ (z - p @ z) ** 2)
    assert slope == pytest.approx(-beta * variance, rel=1e-4, abs=1e-6)


@given(LOGITS)
def test_energy_falls_and_entropy_peaks_at_zero(z: np.ndarray) -> None:
    curves = t.curves(z, axis.grid())
    zero = axis.grid().index(0.0)
    assert (np.diff(curves.energy) <= 1e-9).all()
    assert (np.diff(curves.entropy[: zero + 1]) >= -1e-9).all()
    assert (np.diff(curves.entropy[zero:]) <= 1e-9).all()


def test_masked_tokens_are_as_if_they_were_not_there() -> None:
    z = np.array([1.0, -np.inf, 3.0, -np.inf, 0.0])
    for mine, theirs in zip(*(vars_of(t.curves(logits, BETAS)) for logits in (z, z[np.isfinite(z)])), strict=True):
        assert mine.tolist() == theirs.tolist()
    assert t.favoured(z, -1, 10) == [4, 0, 2]
    assert t.favoured(z, 1, 2) == [2, 0]


def vars_of(curves: t.Curves) -> list[np.ndarray]:
    return [getattr(curves, name) for name in t.Curves.__slots__]


def test_a_large_vocabulary_goes_through_in_blocks_and_comes_out_the_same() -> None:
    z = np.random.default_rng(0).normal(0, 3, t._BLOCK // 3)
    whole = t.curves(z, BETAS)
    for index, beta in enumerate(BETAS):
        assert [column[index] for column in vars_of(whole)] == list(state(z, beta).values())


@pytest.mark.parametrize("beta", [1e300, -1e300, 1e-300, -1e-300])
def test_extreme_betas_and_logits_give_numbers(beta: float) -> None:
    assert np.isfinite(list(state([1e30, -1e30, 3.5, 3.5], beta).values())[1:]).all()


def test_the_dominant_token_is_the_extreme_token_and_ties_go_by_id() -> None:
    z = [4.0, -1.0, 9.0, 9.0, -1.0]
    assert t.favoured(z, 1, 3) == [2, 3, 0]
    assert t.favoured(z, -1, 3) == [1, 4, 0]


@SIGNS
def test_half_entropy_of_two_levels(sign: t.Sign) -> None:
    """S = ln(2)/2 where the rarer of two has p = 0.1100278644, that is at beta = ln((1 - p)/p) = 2.0904565."""
    beta = t.half_entropy_beta([0.0, 1.0], sign)
    assert beta == pytest.approx(sign * 2.0904565, rel=1e-7)


@SIGNS
@given(z=LOGITS)
@example(z=np.array([0.0, 1e-12, 1e12]))
@example(z=np.array([0.0, 0.0, 0.0, 1e-200]))
def test_half_entropy_is_where_the_entropy_is_half(sign: t.Sign, z: np.ndarray) -> None:
    beta = t.half_entropy_beta(z, sign)
    if beta is None:
        assert t.ties(z, sign) ** 2 >= len(z)
    else:
        assert beta * sign > 0
        assert state(z, beta)["entropy"] == pytest.approx(math.log(len(z)) / 2, rel=1e-6)


def test_a_cluster_of_tokens_makes_a_plateau_that_counts_them() -> None:
    """300 tokens around -20, half a thousandth apart at most, under 700 around 0: S rests at ln 300 in between."""
    rng = np.random.default_rng(1)
    z = np.concatenate([rng.normal(0, 2, 700), rng.normal(-20, 5e-4, 300)])
    beta = t.plateau_beta(z, -1)
    assert beta is not None and beta < 0
    assert math.exp(state(z, beta)["entropy"]) == pytest.approx(300, rel=1e-3)
    around = [state(z, beta * factor)["heat_capacity"] for factor in (0.5, 1.0, 2.0)]
    assert around[1] < min(around[0], around[2])
    assert t.plateau_beta(-z, 1) == pytest.approx(-beta)


@pytest.mark.parametrize("z", [[0.0, 1.0], np.linspace(-3, 3, 500), [2.0, 2.0, 2.0]], ids=["two", "even", "equal"])
@SIGNS
def test_without_a_cluster_there_is_no_plateau(sign: t.Sign, z: object) -> None:
    assert t.plateau_beta(np.asarray(z), sign) is None


@pytest.mark.parametrize(("tied", "reached"), [(1, True), (2, False), (3, False)], ids=str)
def test_ties_can_keep_the_entropy_above_half(tied: int, reached: bool) -> None:
    """Of four tokens two tied leave S at ln 2 = ln(4)/2, which is approached and never met."""
    z = [1.0] * tied + [0.0] * (4 - tied)
    assert (t.half_entropy_beta(z, 1) is not None) == reached


@SIGNS
@given(z=LOGITS)
def test_half_share_is_where_the_dominant_token_holds_half(sign: t.Sign, z: np.ndarray) -> None:
    beta = t.half_share_beta(z, sign)
    if beta is None:
        assert t.ties(z, sign) > 1
    elif len(z) > 2:
        assert boltzmann.probabilities(z, beta).max() == pytest.approx(0.5, rel=1e-6)
    else:
        assert beta == 0.0


def test_half_share_of_a_leader_over_equals() -> None:
    """One token a nat above four others: e^beta = 4 e^0, so beta = ln 4."""
    assert t.half_share_beta([1.0, 0.0, 0.0, 0.0, 0.0], 1) == pytest.approx(math.log(4))


def test_a_beta_that_no_float_holds_is_none() -> None:
    assert t.half_share_beta([0.0, 5e-324, 1e-323], 1) is None


@given(LOGITS)
@example(np.array([1.0, 1.0 + 2**-52]))
@example(np.array([1e16, 1e16 + 2]))
def test_the_histogram_counts_every_token_once(z: np.ndarray) -> None:
    edges, counts = t.density(z, 60)
    assert counts.sum() == len(z)
    assert (len(edges), len(counts)) == (61, 60)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= z.min() and z.max() <= edges[-1]


def test_the_histogram_agrees_with_a_count_by_hand() -> None:
    edges, counts = t.density([0.0, 0.1, 0.9, 1.0, -np.inf], 2)
    assert (edges.tolist(), counts.tolist()) == ([0.0, 0.5, 1.0], [2, 2])


@given(st.floats(-1e6, 1e6))
def test_the_axis_and_its_inverse_agree(beta: float) -> None:
    assert axis.beta_at(axis.position(beta)) == pytest.approx(beta, rel=1e-9, abs=1e-300)


def test_the_grid_runs_through_zero_from_end_to_end() -> None:
    grid = axis.grid()
    assert grid == tuple(sorted(grid)) == tuple(-beta for beta in reversed(grid))
    assert {-math.inf, -1000.0, -1.0, -0.01, 0.0, 0.01, 1.0, 1000.0, math.inf} <= set(grid)
    assert all(math.copysign(1, beta) > 0 for beta in grid if beta == 0)
    places = [axis.position(beta) for beta in grid[1:-1]]
    assert np.diff(places) == pytest.approx(0.1, abs=1e-4)
