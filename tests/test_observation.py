"""The inner loop's figures against the specification, `theory.boltzmann`, and gaps against a sort."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from negtemp.theory import boltzmann
from negtemp.theory.observation import Observer, gap_among

LOGIT = st.floats(-30, 30, width=32)
LOGITS = arrays(np.float32, st.integers(2, 40), elements=LOGIT | st.just(-math.inf)).filter(
    lambda z: bool(np.isfinite(z).any())
)
BETAS = st.sampled_from([math.inf, 1000.0, 1.0, 0.0, -1.0, -1000.0, -math.inf])


def row(*logits: float) -> np.ndarray:
    """Logits as the library gives them."""
    return np.array(logits, np.float32)


def gap_by_sorting(logits: np.ndarray, beta: float) -> float:
    """Between the two finite logits that the sign of beta favours most."""
    order = np.sort(logits[np.isfinite(logits)].astype(np.float64))[:: -1 if beta > 0 else 1]
    return abs(float(order[0] - order[1])) if beta and order.size > 1 else 0.0


@given(LOGITS, st.data())
def test_logprob_rank_and_entropy_are_those_of_the_specification(z: np.ndarray, data: st.DataObject) -> None:
    token_id = data.draw(st.integers(0, len(z) - 1))
    seen = Observer(len(z)).observe(z, token_id, -1.0)
    assert seen.logprob == pytest.approx(boltzmann.log_probabilities(z)[token_id], abs=1e-10)
    assert seen.rank == boltzmann.rank(z, token_id)
    assert seen.entropy == pytest.approx(float(boltzmann.entropy(z)), abs=1e-10)


@given(LOGITS, BETAS)
def test_the_gap_is_between_the_two_that_the_sign_favours(z: np.ndarray, beta: float) -> None:
    assert Observer(len(z)).observe(z, 0, beta).gap == gap_by_sorting(z, beta)


@given(LOGITS, BETAS, st.data())
def test_the_gap_leaves_out_what_could_not_be_drawn(z: np.ndarray, beta: float, data: st.DataObject) -> None:
    barred = data.draw(st.lists(st.integers(0, len(z) - 1), unique=True))
    left = np.delete(z, barred)
    expected = gap_by_sorting(left, beta) if np.isfinite(left).any() else 0.0
    observer = Observer(len(z))
    assert observer.observe(z, 0, beta, np.array(barred, np.int32)).gap == expected
    assert observer.observe(z, 0, beta, np.isin(np.arange(len(z)), barred)).gap == expected


@given(st.lists(arrays(np.float32, 12, elements=LOGIT), min_size=2, max_size=5))
def test_what_was_seen_before_leaves_no_trace(rows: list[np.ndarray]) -> None:
    observer = Observer(12)
    together = [observer.observe(z, 3, -1.0, np.array([1], np.int32)) for z in rows]
    assert together == [Observer(12).observe(z, 3, -1.0, np.array([1], np.int32)) for z in rows]


def test_the_row_is_read_and_never_written() -> None:
    z = row(1.0, -np.inf, 3.0)
    z.flags.writeable = False
    assert Observer(3).observe(z, 0, -1.0, np.array([0], np.int32)).rank == 1


def test_a_token_that_the_model_masks_is_impossible_and_the_rest_as_without_it() -> None:
    seen = Observer(3).observe(row(0.0, -np.inf, 0.0), 1, 1.0)
    assert (seen.logprob, seen.rank) == (-math.inf, 2)
    assert seen.entropy == pytest.approx(math.log(2))


@pytest.mark.parametrize("z", [row(0, np.nan), row(np.inf, 0), row(-np.inf, -np.inf)], ids=["nan", "inf", "masked"])
def test_logits_that_are_no_distribution_have_no_figures(z: np.ndarray) -> None:
    seen = Observer(2).observe(z, 0, -1.0)
    assert math.isnan(seen.logprob) and math.isnan(seen.entropy)


@given(LOGITS, BETAS, st.data())
def test_the_gap_of_what_filters_left_is_that_of_the_specification(
    z: np.ndarray, beta: float, data: st.DataObject
) -> None:  # fmt: skip
    left_out = data.draw(arrays(np.bool_, len(z))) | ~np.isfinite(z)
    assert gap_among(z[~left_out], beta) == pytest.approx(Observer(len(z)).observe(z, 0, beta, left_out).gap)
