"""The compiled loops against their specifications: numpy's statistics, and llama.cpp's own draw bit for bit."""

import ctypes
import math
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from negtemp.errors import DecodeError
from negtemp.model import kernel
from negtemp.model.engine.request import Filters
from negtemp.model.engine.sampler import Chain, draw_all
from negtemp.model.kernel import Draw, Kernel, ToObserve
from negtemp.model.library import Library
from negtemp.theory import boltzmann
from negtemp.theory.observation import Observer
from negtemp.theory.temperature import Temperature

Row = NDArray[np.float32]

LOGITS = st.floats(-40, 40, width=32) | st.just(-math.inf) | st.sampled_from([0.0, -0.0, 1e-30, 88.0, -104.0])
BROKEN = LOGITS | st.sampled_from([math.nan, math.inf])
# a part of a piece, several pieces, and pieces with a rest
SIZES = st.integers(1, 70) | st.sampled_from([2047, 2048, 2049, 5000])
TEMPERATURES = [1.0, -1.0, 0.001, -0.001, 0.02, 0.7, -0.7, 3.0, -25.0, 1e30, -1e30, 1e-30, -1e-30, 1e-3]


@pytest.fixture(scope="module")
def compiled_loops(compiled: Library) -> Kernel:
    found = kernel.find(compiled)
    if found is None:
        pytest.skip("the library was built without the loops")
    return found


@st.composite
def rows(draw: st.DrawFn, logits: st.SearchStrategy[float] = LOGITS) -> Row:
    """A row with some logits as drawn, and random ones around them."""
    size = draw(SIZES)
    row = np.random.default_rng(draw(st.integers(0, 2**32))).normal(0, 5, size).astype(np.float32)
    some: Row = draw(arrays(np.float32, min(size, 20), elements=logits))
    row[np.linspace(0, size - 1, len(some)).astype(int)] = some
    return row


@st.composite
def masks(draw: st.DrawFn, size: int) -> NDArray[np.int32] | None:
    found = draw(st.none() | st.lists(st.integers(0, size - 1), max_size=30, unique=True))
    return None if not found else np.array(sorted(found), np.int32)


@settings(max_examples=300)
@given(rows(BROKEN), st.data())
def test_statistics_are_those_of_the_specification(compiled_loops: Kernel, row: Row, data: st.DataObject) -> None:
    token_id, masked = data.draw(st.integers(0, len(row) - 1)), data.draw(masks(len(row)))
    beta = data.draw(st.sampled_from([math.inf, 1.0, 0.0, -1000.0, -math.inf]))
    with np.errstate(invalid="ignore", over="ignore"):
        said = Observer(len(row)).observe(row, token_id, beta, masked)
    (found,) = compiled_loops.observe([ToObserve(row, token_id, beta, masked)], 1)
    assert (found.rank, found.gap) == (said.rank, said.gap)
    assert found.logprob == pytest.approx(said.logprob, rel=1e-14, abs=1e-13, nan_ok=True)
    assert found.entropy == pytest.approx(said.entropy, rel=1e-13, abs=1e-13, nan_ok=True)


def row_of(seed: int) -> Row:
    return np.random.default_rng(seed).normal(0, 5, 20_000).astype(np.float32)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_many_rows_at_once_say_what_each_says(compiled_loops: Kernel, seeds: list[int]) -> None:
    """Whatever the number of threads, to the last bit."""
    drawn = [ToObserve(row_of(seed), seed % 20_000, 1.0 - seed % 3, None) for seed in seeds]
    alone = [compiled_loops.observe([one], 1)[0] for one in drawn]
    assert compiled_loops.observe(drawn, 1) == alone == compiled_loops.observe(drawn, 3)


class Without:
    """The same draws by llama.cpp's chain alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def chain(self, library: Library, size: int, at: Temperature, filters: Filters, seed: int) -> Chain:
        with self._monkeypatch.context() as context:
            context.setenv("NEGTEMP_KERNEL", "none")
            return Chain(library, size, at, filters, seed)


@pytest.fixture(scope="module")
def without() -> Without:
    return Without(pytest.MonkeyPatch())


def is_distribution(row: Row, masked: NDArray[np.int32] | None = None) -> bool:
    left = row if masked is None else np.delete(row, masked)
    return not np.isnan(row).any() and row.max() < np.inf and bool(np.isfinite(left).any())


def alike(first: Draw | None, second: Draw | None) -> bool:
    """To the last bit, NaN included."""
    if first is None or second is None:
        return first is second
    return first.token_id == second.token_id and str(first.logprob) == str(second.logprob)


@settings(max_examples=400)
@given(
    row=rows(), seed=st.integers(0, 2**32 - 2), data=st.data(),
    t=st.sampled_from([*TEMPERATURES, math.inf, 0.0, "-inf"]) | st.floats(-50, 50).filter(bool),
)  # fmt: skip
def test_draws_are_those_of_the_chain(
    compiled: Library, compiled_loops: Kernel, without: Without, row: Row, seed: int, data: st.DataObject,
    t: float | str,
) -> None:  # fmt: skip
    masked = data.draw(masks(len(row)))
    if masked is not None and len(masked) == len(row):
        masked = None
    at = Temperature.of_beta(-math.inf) if isinstance(t, str) else Temperature.of(t)
    filters = Filters(mask=() if masked is None else tuple(masked.tolist()))
    with (
        Chain(compiled, len(row), at, filters, seed) as chain,
        without.chain(compiled, len(row), at, filters, seed) as reference,
    ):
        for shift in range(3):
            turned = np.roll(row, shift)
            if is_distribution(turned, masked):
                assert alike(chain.draw(turned), reference.draw(turned))


@pytest.mark.parametrize("t", TEMPERATURES)
def test_draws_over_a_large_vocabulary_are_those_of_the_chain(
    compiled: Library, compiled_loops: Kernel, without: Without, t: float
) -> None:
    """Flat and steep rows, many seeds, several threads."""
    size, rng = 50_000, np.random.default_rng(3)
    for seed, spread in enumerate((0.0, 1e-3, 1.0, 4.0, 10.0, 40.0)):
        row = rng.normal(0, spread, size).astype(np.float32)
        with (
            Chain(compiled, size, Temperature.of(t), Filters(mask=(5, 49_999)), seed, None, 3) as chain,
            without.chain(compiled, size, Temperature.of(t), Filters(mask=(5, 49_999)), seed) as reference,
        ):
            for _ in range(20):
                assert alike(chain.draw(row), reference.draw(row))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", [300, 9000])
def test_rows_drawn_side_by_side_are_those_drawn_one_by_one(
    compiled: Library, compiled_loops: Kernel, size: int, threads: int
) -> None:
    """Of every kind: compiled, exact extremes, filters, and rows that are no distribution."""
    rng = np.random.default_rng(threads)
    asked = [(beta, filters) for beta in (1.0, -1.0, 1000.0, -1000.0, 0.0, math.inf, -math.inf)
             for filters in (Filters(), Filters(mask=(1, 7)), Filters(top_k=5))]  # fmt: skip
    with ExitStack() as stack:
        one, other = (
            [stack.enter_context(Chain(compiled, size, Temperature.of_beta(beta), filters, seed, None, threads))
             for seed, (beta, filters) in enumerate(asked)]
            for _ in range(2)
        )  # fmt: skip
        for step in range(4):
            given_rows = [rng.normal(0, 5, size).astype(np.float32) for _ in asked]
            if step == 2:
                given_rows[3][0], given_rows[4][1] = math.nan, math.inf
            together = draw_all(one, given_rows, threads)
            alone = [draw_all([chain], [row], 1)[0] for chain, row in zip(other, given_rows, strict=True)]
            assert all(map(alike, together, alone))
            assert [place for place, draw in enumerate(together) if draw is None] == ([3, 4] if step == 2 else [])


@given(row=rows(BROKEN), seed=st.integers(0, 99), broken_first=st.booleans(), t=st.sampled_from([-0.5, 1.0, -0.001]))
def test_a_row_that_is_no_distribution_is_refused_and_leaves_the_random_numbers_in_step(
    compiled: Library, compiled_loops: Kernel, without: Without, row: Row, seed: int, broken_first: bool, t: float
) -> None:  # fmt: skip
    at, sound = Temperature.of(t), np.linspace(0, 3, len(row), dtype=np.float32)
    order = [row, sound, sound, row, sound] if broken_first else [sound, sound, row, sound, sound]
    with (
        Chain(compiled, len(row), at, Filters(), seed) as chain,
        without.chain(compiled, len(row), at, Filters(), seed) as reference,
    ):
        for one in order:
            if is_distribution(one):
                assert alike(chain.draw(one), reference.draw(one))
            else:
                with pytest.raises(DecodeError, match="not numbers"):
                    chain.draw(one)


@settings(max_examples=300)
@given(
    row=rows(BROKEN), seed=st.integers(0, 99), data=st.data(),
    t=st.sampled_from([*TEMPERATURES, math.inf, 0.0]) | st.floats(-50, 50).filter(bool),
)  # fmt: skip
def test_what_is_observed_in_passing_is_what_is_observed_afterwards(
    compiled: Library, compiled_loops: Kernel, row: Row, seed: int, data: st.DataObject, t: float
) -> None:  # fmt: skip
    at, masked = Temperature.of(t), data.draw(masks(len(row)))
    filters = Filters(mask=() if masked is None else tuple(masked.tolist()))
    with Chain(compiled, len(row), at, filters, seed) as chain:
        (draw,) = draw_all([chain], [row], 1, observes=True)
    if draw is None:
        assert not is_distribution(row, masked)
    else:
        assert draw.observed == compiled_loops.observe([ToObserve(row, draw.token_id, at.beta, masked)], 1)[0]


def test_logits_that_a_small_temperature_takes_beyond_float32_are_decided_by_their_extreme(
    compiled: Library, compiled_loops: Kernel
) -> None:
    row = np.array([2e9, 3e9, -3e9, 3e9], np.float32)
    for t, token_id in ((1e-30, 1), (-1e-30, 2)):
        with Chain(compiled, 4, Temperature.of(t), Filters(), 1) as chain:
            draw = chain.draw(row)
        assert (draw.token_id, draw.logprob) == (token_id, 0.0)


@pytest.mark.parametrize("t", [-1.0, -0.5, 0.8, 2.0])
def test_draws_have_the_frequencies_of_the_specification(compiled: Library, compiled_loops: Kernel, t: float) -> None:
    row, count = np.array([0.0, 1.0, -math.inf, 2.0, 0.5], np.float32), 20_000
    with Chain(compiled, len(row), Temperature.of(t), Filters(), 11) as chain:
        found = np.bincount([chain.draw(row).token_id for _ in range(count)], minlength=len(row)) / count
    p = boltzmann.probabilities(row, 1 / t)
    assert found[2] == 0
    assert np.abs(found - p).max() < 5 * math.sqrt(0.25 / count)


def test_exponentials_are_those_of_the_c_library(compiled_loops: Kernel) -> None:
    """Every 101st float32 from -0 to -104, and all near the ends; benchmarks/kernel_exponentials.py compares all."""
    low, high = (int(np.float32(value).view(np.uint32)) for value in (-0.0, -104.0))
    bits = np.concatenate(
        [np.arange(low, low + 5000), np.arange(low, high, 101)[-3_000_000:], np.arange(high - 200_000, high + 1)]
    )
    x = bits.astype(np.uint32).view(np.float32)
    assert np.array_equal(exponentials(compiled_loops, x), by_c_library(x))


def exponentials(loops: Kernel, x: Row) -> Row:
    found = np.empty_like(x)
    loops.api.negtemp_exponentials(x.ctypes.data, len(x), found.ctypes.data)
    return found


def by_c_library(x: Row) -> Row:
    expf = ctypes.CDLL(None).expf
    expf.restype, expf.argtypes = ctypes.c_float, [ctypes.c_float]
    return np.fromiter(map(expf, x.tolist()), np.float32, len(x))


@pytest.mark.parametrize("content", [b"", b"no library"])
def test_without_the_loops_everything_is_computed_otherwise(
    compiled: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "loops.so").write_bytes(content)
    monkeypatch.setenv("NEGTEMP_KERNEL", str(tmp_path / "loops.so"))
    assert kernel.find(compiled) is None
    monkeypatch.setenv("NEGTEMP_KERNEL", str(tmp_path / "nowhere.so"))
    assert kernel.find(compiled) is None
    with Chain(compiled, 3, Temperature.of(-0.001), Filters(), 1) as chain:
        assert chain.draw(np.array([2.0, 1.0, 3.0], np.float32)).token_id == 1


def test_the_loops_of_another_version_are_not_used(compiled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any library will do that has none of our functions."""
    monkeypatch.setenv("NEGTEMP_KERNEL", "libc.so.6" if sys.platform == "linux" else "/usr/lib/libSystem.dylib")
    assert kernel.find(compiled) is None
