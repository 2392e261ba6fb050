"""The specification itself, against worked examples, mpmath-free identities and a naive float64 softmax."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from negtemp.theory import boltzmann as b

FINITE = st.floats(-30, 30, allow_nan=False, width=32)
LOGITS = arrays(np.float64, st.integers(2, 40), elements=FINITE)
BETAS = st.floats(-20, 20, allow_nan=False).filter(lambda beta: abs(beta) > 1e-6)


def test_worked_example_below_zero() -> None:
    """z = (0, ln 2) at T=-1: weights 1 and 1/2, so p = (2/3, 1/3)."""
    assert b.probabilities([0.0, math.log(2)], -1.0) == pytest.approx([2 / 3, 1 / 3])


@given(LOGITS, BETAS)
def test_negative_temperature_is_the_positive_one_of_negated_logits(z: np.ndarray, beta: float) -> None:
    assert b.probabilities(z, -beta) == pytest.approx(b.probabilities(-z, beta), abs=1e-12)


@given(LOGITS, BETAS)
def test_probabilities_equal_a_naive_softmax(z: np.ndarray, beta: float) -> None:
    weight = np.exp((beta * z - (beta * z).max()).astype(np.longdouble))
    assert b.probabilities(z, beta) == pytest.approx((weight / weight.sum()).astype(float), abs=1e-12)


@given(LOGITS, BETAS, st.data())
def test_a_masked_token_is_impossible_and_the_rest_as_if_it_were_not_there(
    z: np.ndarray, beta: float, data: st.DataObject
) -> None:
    masked = data.draw(st.integers(0, len(z) - 1))
    with_mask = z.copy()
    with_mask[masked] = -np.inf
    p = b.probabilities(with_mask, beta)
    assert p[masked] == 0
    assert np.delete(p, masked) == pytest.approx(b.probabilities(np.delete(z, masked), beta), abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 1e-300, -1e-300], ids=["zero", "plus", "minus"])
def test_infinite_temperature_is_uniform_over_what_is_not_masked(beta: float) -> None:
    assert b.probabilities([5.0, -3.0, -np.inf, 0.0], beta) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(math.inf, [0.5, 0, 0.5, 0, 0]), (-math.inf, [0, 1, 0, 0, 0])],
    ids=["greedy-shares-ties", "antigreedy"],
)
def test_the_ends_of_the_axis(beta: float, expected: list[float]) -> None:
    assert b.probabilities([7.0, -2.0, 7.0, 1.0, -np.inf], beta).tolist() == expected


def test_all_masked_has_no_probability_anywhere() -> None:
    assert b.probabilities([-np.inf, -np.inf], -1.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("beta", [1e30, -1e30, 1e-30, -1e-30, 1e300, -1e300])
def test_extreme_betas_neither_overflow_nor_lose_mass(beta: float) -> None:
    p = b.probabilities([1000.0, -1000.0, 3.5, 3.5], beta)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)


@given(LOGITS)
def test_entropy_at_beta_zero_is_ln_v(z: np.ndarray) -> None:
    assert b.entropy(z, 0.0) == pytest.approx(math.log(len(z)))


@given(LOGITS, BETAS)
def test_entropy_is_ln_z_plus_beta_u(z: np.ndarray, beta: float) -> None:
    """S = ln Z - beta <z> with U = -<z>."""
    ln_z = (beta * z).max() + math.log(np.exp(beta * z - (beta * z).max()).sum())
    assert b.entropy(z, beta) == pytest.approx(ln_z + beta * b.energy(z, beta), abs=1e-8)


@given(arrays(np.float64, 12, elements=st.floats(-5, 5)), st.floats(-2, 2).filter(lambda x: abs(x) > 0.05))
def test_heat_capacity_is_the_slope_of_energy_over_temperature(z: np.ndarray, beta: float) -> None:
    """C = dU/dT = -beta² dU/dbeta, by a central difference."""
    step = 1e-5
    slope = (b.energy(z, beta + step) - b.energy(z, beta - step)) / (2 * step)
    assert b.heat_capacity(z, beta) == pytest.approx(-beta * beta * slope, abs=1e-6)


def test_energy_falls_as_beta_rises_through_zero() -> None:
    z = np.random.default_rng(0).normal(0, 3, 100)
    energies = [float(b.energy(z, beta)) for beta in (-np.inf, -2, -0.1, 0, 0.1, 2, np.inf)]
    assert energies == sorted(energies, reverse=True)
    assert energies[0] == -z.min()
    assert energies[-1] == -z.max()


def test_rank_counts_the_strictly_more_likely() -> None:
    assert [b.rank([1.0, 3.0, 3.0, -np.inf], i) for i in range(4)] == [2, 0, 0, 3]
