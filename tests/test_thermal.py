"""Thermal indicators against the definition, context by context, and at the ends of the axis."""

import numpy as np
import pytest

from negtemp.theory.boltzmann import probabilities
from negtemp.theory.statistics import spearman
from negtemp.theory.thermal import NAMES, ThermalSums

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(0, 3, (40, 25))


def swallowed(logits: np.ndarray, pieces: int = 1) -> dict[str, np.ndarray]:
    sums = ThermalSums(logits.shape[1])
    for block in np.array_split(logits, pieces):
        sums.add(block)
    return sums.indicators()


@pytest.mark.parametrize(
    ("name", "beta", "sign"),
    [
        ("thermal_plus_1", 1, -1), ("thermal_plus_half", 0.5, -1), ("thermal_minus_half", -0.5, 1),
        ("thermal_minus_1", -1, 1),
    ],
)  # fmt: skip
def test_mean_probabilities_are_those_of_the_specification(name: str, beta: float, sign: int) -> None:
    expected = sign * np.log(probabilities(LOGITS, beta).mean(axis=0))
    assert swallowed(LOGITS)[name] == pytest.approx(expected, rel=1e-12)


def test_the_mean_logit_is_centred_in_every_context() -> None:
    shifted = LOGITS + RNG.normal(0, 100, (40, 1))
    assert swallowed(shifted)["mean_logit"] == pytest.approx(
        -(LOGITS - LOGITS.mean(axis=1, keepdims=True)).mean(axis=0)
    )


def test_argmin_frequency_counts_the_least_likely_and_shares_ties() -> None:
    assert swallowed(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))["argmin_frequency"].tolist() == [0.25, 0.75, 0.0]


def test_the_limit_of_small_negative_beta_ranks_by_the_mean_logit() -> None:
    near_zero = probabilities(LOGITS, -1e-4).mean(axis=0)
    assert spearman(near_zero, swallowed(LOGITS)["mean_logit"]) == pytest.approx(1.0)


def test_the_limit_of_large_negative_beta_is_the_argmin_frequency() -> None:
    frozen = probabilities(LOGITS, -1e6).mean(axis=0)
    assert swallowed(LOGITS)["argmin_frequency"] == pytest.approx(frozen, abs=1e-6)


@pytest.mark.parametrize("pieces", [2, 7, 40])
def test_how_the_contexts_come_does_not_matter(pieces: int) -> None:
    whole, parts = swallowed(LOGITS), swallowed(LOGITS, pieces)
    assert all(parts[name] == pytest.approx(whole[name]) for name in NAMES)


@pytest.mark.parametrize("mask", [-np.inf, np.inf, np.nan])
def test_a_mask_takes_a_token_out_and_leaves_the_others_as_without_it(mask: float) -> None:
    masked = LOGITS.copy()
    masked[:, 4] = mask
    found, expected = swallowed(masked), swallowed(np.delete(LOGITS, 4, axis=1))
    for name in NAMES:
        assert np.isnan(found[name][4])
        assert np.delete(found[name], 4) == pytest.approx(expected[name])


def test_a_token_masked_in_some_contexts_is_averaged_over_the_others() -> None:
    masked = LOGITS.copy()
    masked[:10, 4] = -np.inf
    found = swallowed(masked)
    p = probabilities(masked, -1.0)
    assert found["thermal_minus_1"] == pytest.approx(np.log(p.mean(axis=0)))
    assert np.isfinite(found["mean_logit"]).all()


def test_a_context_without_a_finite_logit_counts_nowhere() -> None:
    empty = np.vstack([LOGITS, np.full((1, 25), np.nan)])
    found = swallowed(empty)
    assert all(found[name] == pytest.approx(swallowed(LOGITS)[name]) for name in NAMES)


def test_logits_thousands_of_nats_apart_do_not_overflow() -> None:
    found = swallowed(LOGITS * 1e4)
    assert all(np.isfinite(found[name]).all() for name in NAMES)
