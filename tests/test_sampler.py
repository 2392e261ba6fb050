"""The compiled sampler against its specification, `theory.boltzmann`, and the chain that draws from it."""

import ctypes
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from negtemp.errors import UsageError
from negtemp.model.engine.request import Filters, check_seed
from negtemp.model.engine.sampler import Candidates, Chain
from negtemp.model.library import TOKEN_DATA, Library, apply, token_data_array
from negtemp.theory import boltzmann
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature

LOGIT = st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0, -1000.0, 1000.0])
LOGITS = arrays(np.float32, st.integers(2, 60), elements=LOGIT | st.just(-math.inf)).filter(
    lambda z: bool(np.isfinite(z).any())
)
BELOW_ZERO = st.floats(-1e6, -1e-6) | st.sampled_from([-0.001, -1.0, -1e-30, -1e30])


def left_by(library: Library, samplers: list[Any], logits: np.ndarray) -> np.ndarray:
    """Probabilities `[vocab]` that a chain leaves."""
    p = np.zeros(len(logits))
    kept = apply(library, samplers, logits)
    p[kept["id"]] = kept["p"]
    return p


@settings(deadline=None, max_examples=300)
@given(LOGITS, BELOW_ZERO)
def test_below_zero_the_c_sampler_is_the_specification(compiled: Library, logits: np.ndarray, t: float) -> None:
    api = compiled.api
    got = left_by(compiled, [api.llama_sampler_init_temp(t), api.llama_sampler_init_dist(1)], logits)
    assert got == pytest.approx(boltzmann.probabilities(logits, 1 / float(np.float32(t))), abs=1e-4)


@settings(deadline=None, max_examples=300)
@given(LOGITS, BELOW_ZERO)
def test_below_zero_no_logit_is_positive_infinite_or_nan(compiled: Library, logits: np.ndarray, t: float) -> None:
    got = apply(compiled, [compiled.api.llama_sampler_init_temp(t)], logits)["logit"]
    assert not np.isnan(got).any()
    assert got.max() == 0.0
    assert (got[~np.isfinite(logits)] == -np.inf).all()


@settings(deadline=None, max_examples=200)
@given(arrays(np.float32, 80, elements=st.floats(-20, 20, width=32), unique=True), st.integers(1, 79), BELOW_ZERO)
def test_top_k_first_inverts_within_the_k_most_likely(compiled: Library, logits: np.ndarray, k: int, t: float) -> None:
    api = compiled.api
    chain = [api.llama_sampler_init_top_k(k), api.llama_sampler_init_temp(t), api.llama_sampler_init_dist(1)]
    inside = np.where(logits >= np.sort(logits)[-k], logits, -np.inf)
    expected = boltzmann.probabilities(inside, 1 / float(np.float32(t)))
    assert left_by(compiled, chain, logits) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, max_examples=200)
@given(arrays(np.float32, 50, elements=st.floats(-20, 20, width=32)), st.floats(0.01, 100))
def test_the_sign_of_t_is_the_sign_of_the_logits(compiled: Library, logits: np.ndarray, t: float) -> None:
    """p(z, -T) = p(-z, T): upstream's own branch above zero is the oracle for ours below it."""
    api = compiled.api
    below = left_by(compiled, [api.llama_sampler_init_temp(-t), api.llama_sampler_init_dist(1)], logits)
    above = left_by(compiled, [api.llama_sampler_init_temp(t), api.llama_sampler_init_dist(1)], -logits)
    assert below == pytest.approx(above, abs=1e-5)


@settings(deadline=None, max_examples=100)
@given(LOGITS, st.sampled_from([-0.5, -0.01, -2.0]), st.floats(0, 0.4))
def test_dynamic_temperature_below_zero_stays_below_zero(
    compiled: Library, logits: np.ndarray, t: float, delta: float
) -> None:
    kept = apply(compiled, [compiled.api.llama_sampler_init_temp_ext(t, delta, 1.0)], logits)
    scaled = np.full(len(logits), np.nan, np.float32)
    scaled[kept["id"]] = kept["logit"]
    finite = np.isfinite(logits)
    ascending = scaled[finite][np.argsort(logits[finite], kind="stable")].astype(np.float64)
    assert (ascending[1:] <= ascending[:-1] + 1e-6).all()  # a very small T takes the far end to -inf
    assert scaled[finite].max() == 0.0 and (scaled[~finite] == -np.inf).all()


def test_all_masked_is_left_alone(compiled: Library) -> None:
    logits = np.full(5, -np.inf, np.float32)
    got = apply(compiled, [compiled.api.llama_sampler_init_temp(-1.0)], logits)["logit"]
    assert got.tolist() == logits.tolist()


@pytest.mark.parametrize(
    ("at", "token_id"), [(GREEDY, 1), (ANTIGREEDY, 2), (Temperature.of(0.001), 1), (Temperature.of(-0.001), 2)]
)
def test_the_ends_of_the_axis_pick_the_extreme(compiled: Library, at: Temperature, token_id: int) -> None:
    logits = np.array([1.0, 5.0, -7.0, 0.0], np.float32)
    with Chain(compiled, 4, at, Filters(), 1) as chain:
        assert chain.draw(logits).token_id == token_id


@pytest.mark.parametrize("at", [GREEDY, ANTIGREEDY])
def test_exact_ends_take_the_lowest_id_of_a_tie(compiled: Library, at: Temperature) -> None:
    with Chain(compiled, 4, at, Filters(), 1) as chain:
        assert [chain.draw(np.full(4, 2.5, np.float32)).token_id for _ in range(5)] == [0] * 5


@pytest.mark.parametrize("t", [1e-46, -1e-46, 1e-320, -1e-320])
def test_a_temperature_that_float32_cannot_hold_keeps_its_sign(compiled: Library, t: float) -> None:
    logits = np.array([1.0, 5.0, -7.0], np.float32)
    with Chain(compiled, 3, Temperature.of(t), Filters(), 1) as chain:
        assert chain.draw(logits).token_id == (1 if t > 0 else 2)


@pytest.mark.parametrize("beta", [0.0, 1e-40, -1e-40])
def test_uniform_draws_every_token_that_is_not_masked_equally(compiled: Library, beta: float) -> None:
    logits = np.linspace(-50, 50, 10).astype(np.float32)
    with Chain(compiled, 10, Temperature.of_beta(beta), Filters(mask=(0, 9)), 3) as chain:
        draws = [chain.draw(logits) for _ in range(4000)]
    counts = np.bincount([draw.token_id for draw in draws], minlength=10)
    assert counts[[0, 9]].tolist() == [0, 0]
    # chi-square with 7 degrees of freedom: 29.9 is exceeded once in 10,000 seeds
    assert ((counts[1:9] - 500) ** 2 / 500).sum() < 29.9
    assert all(draw.logprob == pytest.approx(math.log(1 / 8), abs=1e-5) for draw in draws)


def drawn_from_all(
    library: Library, at: Temperature, mask: tuple[int, ...], rows: np.ndarray
) -> list[tuple[int, float]]:
    """Token and probability of a draw from each row, every token of the vocabulary a candidate of the C chain."""
    api = library.api
    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    for sampler in (api.llama_sampler_init_temp(at.temperature), api.llama_sampler_init_dist(7)):
        api.llama_sampler_chain_add(chain, sampler)
    drawn = []
    for row in rows:
        data = np.zeros(len(row), TOKEN_DATA)
        data["id"], data["logit"] = np.arange(len(row)), row
        data["logit"][list(mask)] = -np.inf
        array = token_data_array(api, data)
        api.llama_sampler_apply(chain, ctypes.byref(array))
        drawn.append((array.selected, float(data["p"][array.selected])))
    api.llama_sampler_free(chain)
    return drawn


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([0.02, 0.001, 1e-7, 1e-30, -0.02, -0.001, -1e-7, -1e-30]), st.integers(0, 2**32),
    st.sampled_from([0.0, 0.25, 1e-6]), st.sampled_from([0.0, 40.0, -1000.0]), st.booleans(),
)  # fmt: skip
def test_of_a_large_vocabulary_the_same_is_drawn_as_from_all_of_it(
    compiled: Library, t: float, number: int, grain: float, offset: float, masked: bool
) -> None:
    """Ties and near-ties at the extreme, which the mask may hold; -inf of the model's own."""
    rows = (np.random.default_rng(number).normal(offset, 2, (4, 9000))).astype(np.float32)
    if grain:
        rows = np.round(rows / np.float32(grain)) * np.float32(grain)
    rows[1, 5] = -np.inf
    mask = (int(rows[0].argmin()), int(rows[0].argmax()), 8999) if masked else ()
    expected = drawn_from_all(compiled, Temperature.of(t), mask, rows)
    with Chain(compiled, 9000, Temperature.of(t), Filters(mask=mask), 7) as chain:
        drawn = [chain.draw(row) for row in rows]
    assert [draw.token_id for draw in drawn] == [token_id for token_id, _ in expected]
    assert [draw.logprob for draw in drawn] == [math.log(p) for _, p in expected]


def test_draws_below_zero_follow_the_specification(compiled: Library) -> None:
    logits = np.random.default_rng(0).normal(0, 1, 20).astype(np.float32)
    with Chain(compiled, 20, Temperature.of(-1.0), Filters(), 5) as chain:
        counts = np.bincount([chain.draw(logits).token_id for _ in range(20000)], minlength=20)
    expected = boltzmann.probabilities(logits, -1.0) * 20000
    # chi-square with 19 degrees of freedom: 50.8 is exceeded once in 10,000 seeds
    assert ((counts - expected) ** 2 / expected).sum() < 50.8


def test_the_drawn_log_probability_is_that_of_the_chain(compiled: Library) -> None:
    logits = np.array([0.0, 1.0, 2.0, 3.0], np.float32)
    with Chain(compiled, 4, Temperature.of(-2.0), Filters(top_k=3), 1) as chain:
        draw = chain.draw(logits)
    inside = np.array([-np.inf, 1.0, 2.0, 3.0])
    assert draw.logprob == pytest.approx(boltzmann.log_probabilities(inside, -0.5)[draw.token_id], abs=1e-5)
    assert draw.left_out is not None and np.flatnonzero(draw.left_out).tolist() == [0]


@pytest.mark.parametrize("at", [Temperature.of(-0.001), ANTIGREEDY, UNIFORM, Temperature.of(-1.0)])
def test_a_mask_holds_at_every_temperature(compiled: Library, at: Temperature) -> None:
    logits = np.array([-9.0, -8.0, 3.0, 4.0], np.float32)
    with Chain(compiled, 4, at, Filters(mask=(0, 3)), 1) as chain:
        assert {chain.draw(logits).token_id for _ in range(200)} <= {1, 2}


def test_chains_with_the_same_seed_draw_the_same(compiled: Library) -> None:
    logits = np.random.default_rng(1).normal(0, 1, 50).astype(np.float32)

    def draws(seed: int) -> list[int]:
        with Chain(compiled, 50, Temperature.of(-1.0), Filters(), seed) as chain:
            return [chain.draw(logits).token_id for _ in range(30)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)


def test_chains_that_share_candidates_draw_as_they_do_alone(compiled: Library) -> None:
    """Top-k moves candidates about; the next chain finds them in order."""
    logits = np.random.default_rng(2).normal(0, 1, 50).astype(np.float32)
    filters = [Filters(top_k=7), Filters(), Filters(mask=(3, 4)), Filters(top_p=0.5), Filters()]

    def draws(shared: Candidates | None) -> list[list[int]]:
        at = Temperature.of(-1.0)
        chains = [Chain(compiled, 50, at, each, seed, shared) for seed, each in enumerate(filters)]
        drawn = [[chain.draw(logits).token_id for chain in chains] for _ in range(20)]
        for chain in chains:
            chain.close()
        return drawn

    assert draws(Candidates(compiled.api, 50)) == draws(None)


def test_a_chain_reads_any_float32_row(compiled: Library) -> None:
    """The library hands out views into its own buffer; the chain must copy, never write."""
    buffer = (ctypes.c_float * 3)(1.0, 2.0, 3.0)
    row = np.ctypeslib.as_array(buffer)
    with Chain(compiled, 3, Temperature.of(-1.0), Filters(top_k=2), 1) as chain:
        chain.draw(row)
    assert list(buffer) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "wrong",
    [{"top_p": 7.0}, {"top_p": -0.1}, {"min_p": 2.0}, {"top_k": -1}, {"repeat_penalty": 0.0}, {"repeat_penalty": -1.0},
     {"top_p": math.nan}, {"repeat_penalty": math.inf}],
    ids=str,
)  # fmt: skip
def test_filters_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"`{next(iter(wrong))}`") as refused:
        Filters(**wrong)  # type: ignore[arg-type]
    assert "to inf" not in str(refused.value)


@pytest.mark.parametrize("seed", [-2, 2**32 - 1, 2**40])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=str(seed)):
        check_seed(seed)
