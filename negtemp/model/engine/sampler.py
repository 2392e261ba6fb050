"""One sequence's sampler chain, built from llama.cpp's low-level samplers, and the draw itself.

The order is upstream's: mask, penalties, top-k, top-p, min-p, temperature, draw. So with top-k 40 and T < 0 one gets
the least likely of the 40 most likely. Everything but temperature and draw is off by default. It leaves out statistics.

float32 cannot hold every T: outside 1e-30 to 1e30 the sampler is given the nearest of these, at which every choice is
already decided (or uniform) to the last bit. Exact greedy and antigreedy take the extreme token of lowest id.

At a small |T| all but the tokens near the extreme logit have a weight that is 0 in float32. Of a large vocabulary only
these few enter the chain: what is drawn, and its probability, are the same to the last bit, and the draw takes a third
of the time.
"""

import ctypes
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model import kernel
from negtemp.model.engine.request import Filters, check_seed
from negtemp.model.library import TOKEN_DATA, Library, token_data_array
from negtemp.theory.temperature import Temperature

_SMALLEST, _LARGEST = 1e-30, 1e30
_PENALTY_WINDOW = 64

# further than so many |T| from the extreme logit a weight is 0: expf is, below -104, and the division rounds
_REACH = 128.0
_ANY_FLOATS = np.zeros(64, np.float32)
_SMALL_TEMPERATURE, _LARGE_VOCABULARY = 0.02, 8192


class Draw(NamedTuple):
    """One drawn token, ln of its probability under the chain, and what could not have been drawn (None: nothing).

    masked     token ids, ascending
    left_out   a mask `[vocab]` of what filters and mask left out, where there are filters
    """

    token_id: int
    logprob: float
    masked: NDArray[np.int32] | None = None
    left_out: NDArray[np.bool_] | None = None

    @property
    def barred(self) -> NDArray[np.int32] | NDArray[np.bool_] | None:
        """Either of them."""
        return self.masked if self.left_out is None else self.left_out


class Candidates:
    """The C array of a vocabulary's candidates, filled anew from logits before each draw. Chains may share one."""

    def __init__(self, api: Any, vocab: int) -> None:
        self._ids = np.arange(vocab, dtype=np.int32)
        self.data = np.zeros(vocab, TOKEN_DATA)
        self.id, self.logit, self.p = (self.data[name] for name in ("id", "logit", "p"))
        self.id[:] = self._ids
        self.free = np.empty(vocab, np.float32)
        self.array = token_data_array(api, self.data)
        self.reference = ctypes.byref(self.array)

    def fill(self, logits: NDArray[np.float32]) -> None:
        """Every token of the vocabulary in order, with raw logits `[vocab]`."""
        self.logit[:] = logits
        # ggml's x86 kernels leave the upper halves of the vector registers in use, and until somebody clears them the
        # compiled sampler runs three times slower; numpy's kernels clear them when they end
        _ANY_FLOATS.argmin()
        self._begin(len(logits))

    def fill_with(self, token_ids: NDArray[np.intp], logits: NDArray[np.float32]) -> None:
        """These tokens alone, with their raw logits out of `[vocab]`. Restore the order before another fill."""
        size = len(token_ids)
        self.id[:size], self.logit[:size] = token_ids, logits[token_ids]
        self._begin(size)

    def _begin(self, size: int) -> None:
        array = self.array
        array.size, array.selected, array.sorted = size, -1, False

    def restore_order(self, count: int | None = None) -> None:
        """Put the ids back, the first `count` or all, where a sampler or a fill moved them."""
        self.id[:count] = self._ids[:count]


class Chain:
    """The C sampler chain of one sequence. Close it, or use it as a context manager."""

    def __init__(
        self, library: Library, vocab: int, temperature: Temperature, filters: Filters, seed: int,
        candidates: Candidates | None = None, threads: int = 1,
    ) -> None:  # fmt: skip
        """`candidates` of the same vocabulary may be shared with chains that do not draw at the same moment."""
        self._api, self._vocab, self._beta = library.api, vocab, temperature.beta
        self._deterministic = math.isinf(temperature.beta)
        self._reorders = filters.top_k > 0 or filters.top_p < 1.0 or filters.min_p > 0.0
        self._remembers = filters.repeat_penalty != 1.0
        decides_early = 0 < abs(temperature.temperature) <= _SMALL_TEMPERATURE and vocab >= _LARGE_VOCABULARY
        alone = not self._reorders and not self._remembers
        self._reach = _REACH * temperature.temperature if decides_early and alone else 0.0
        self._mask = np.unique(np.array(filters.mask, np.int32)) if filters.mask else None
        self._shared = candidates
        self._handle = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        samplers = self._samplers(vocab, temperature, filters, check_seed(seed))
        for sampler in samplers:
            self._api.llama_sampler_chain_add(self._handle, sampler)
        self._last, self._behind = samplers[-1], 0
        self._extreme = alone and self._deterministic
        compiled = kernel.find(library) if alone and not self._deterministic else None
        at = _as_given(temperature.temperature)
        self._draws = kernel.Draws(compiled, at, seed, self._mask, threads) if compiled else None

    @functools.cached_property
    def _candidates(self) -> Candidates:
        return self._shared or Candidates(self._api, self._vocab)

    def _samplers(self, vocab: int, temperature: Temperature, filters: Filters, seed: int) -> list[Any]:
        api = self._api
        samplers = []
        if filters.mask:
            bias = (api.llama_logit_bias * len(filters.mask))()
            for entry, token_id in zip(bias, filters.mask, strict=True):
                entry.token, entry.bias = token_id, -math.inf
            samplers.append(api.llama_sampler_init_logit_bias(vocab, len(bias), bias))
        if filters.repeat_penalty != 1.0:
            samplers.append(api.llama_sampler_init_penalties(vocab, _PENALTY_WINDOW, filters.repeat_penalty, 0.0, 0.0))
        if filters.top_k > 0:
            samplers.append(api.llama_sampler_init_top_k(filters.top_k))
        if filters.top_p < 1.0:
            samplers.append(api.llama_sampler_init_top_p(filters.top_p, 1))
        if filters.min_p > 0.0:
            samplers.append(api.llama_sampler_init_min_p(filters.min_p, 1))
        return samplers + self._temperature(temperature, seed)

    def _temperature(self, temperature: Temperature, seed: int) -> list[Any]:
        api = self._api
        if temperature.beta == math.inf:
            return [api.llama_sampler_init_greedy()]
        if temperature.beta == -math.inf:
            return [api.llama_sampler_init_temp(-_SMALLEST), api.llama_sampler_init_greedy()]
        given = _as_given(temperature.temperature)
        return [api.llama_sampler_init_temp(given), api.llama_sampler_init_dist(seed)]

    def draw(self, logits: NDArray[np.float32]) -> Draw:
        """Draw from raw logits `[vocab]` float32 and tell the chain (penalties remember)."""
        found = self._draw_extreme(logits) if self._extreme else self._draw_compiled(logits)
        return found or self._draw_by_chain(logits)

    def _draw_extreme(self, logits: NDArray[np.float32]) -> Draw | None:
        """The first of the tokens at the extreme; None where the extreme is no number."""
        below = self._beta < 0
        free = logits
        if self._mask is not None:
            free = logits.copy()
            free[self._mask] = math.inf if below else -math.inf
        token_id = int(free.argmin() if below else free.argmax())
        return Draw(token_id, 0.0, self._mask) if math.isfinite(free[token_id]) else None

    def _draw_compiled(self, logits: NDArray[np.float32]) -> Draw | None:
        """By the compiled loops; None where there are none, or the logits are no distribution."""
        return self._taken(self._draws.draw(logits) if self._draws else None)

    def _taken(self, found: tuple[int, float] | None) -> Draw | None:
        if found is None:
            return None
        self._behind += 1
        token_id, p = found
        return Draw(token_id, math.log(p) if p > 0 else -math.inf, self._mask)

    def _catch_up(self) -> None:
        """Let the chain's random numbers stand where those of the compiled loops do, as if it drew what these did."""
        one = np.zeros(1, TOKEN_DATA)
        array = token_data_array(self._api, one)
        for _ in range(self._behind):
            self._api.llama_sampler_apply(self._last, ctypes.byref(array))
        self._behind = 0
        if self._draws:
            self._draws.skip()

    def _draw_by_chain(self, logits: NDArray[np.float32]) -> Draw:
        self._catch_up()
        candidates = self._candidates
        near = self._near(logits) if self._reach else None
        if near is None:
            candidates.fill(logits)
        else:
            candidates.fill_with(near, logits)
        self._api.llama_sampler_apply(self._handle, candidates.reference)
        selected = candidates.array.selected
        token_id = int(candidates.id[selected])
        p = 1.0 if self._deterministic else float(candidates.p[selected])
        if self._remembers:
            self._api.llama_sampler_accept(self._handle, token_id)
        if near is not None:
            candidates.restore_order(len(near))
        left_out = self._filtered() if self._reorders else None
        return Draw(token_id, math.log(p) if p > 0 else -math.inf, self._mask, left_out)

    def _near(self, logits: NDArray[np.float32]) -> NDArray[np.intp] | None:
        """The ids, in order, of all that can be drawn from `[vocab]`; None where the extreme is no number."""
        free, below = self._candidates.free, self._reach < 0
        np.copyto(free, logits)
        if self._mask is not None:
            free[self._mask] = math.inf if below else -math.inf
        extreme = float(free[free.argmin() if below else free.argmax()])
        if not math.isfinite(extreme):
            return None
        # above zero upstream divides first, and that rounds by so much
        limit = extreme - self._reach + math.copysign(1e-6 * extreme, -self._reach)
        return np.flatnonzero(free <= limit if below else free >= limit)

    def _filtered(self) -> NDArray[np.bool_]:
        """What the filters left out, `[vocab]`; the ids go back in order."""
        candidates = self._candidates
        size = candidates.array.size
        barred = np.ones(len(candidates.id), np.bool_)
        barred[candidates.id[:size][candidates.logit[:size] > -np.inf]] = False
        candidates.restore_order()
        return barred

    def close(self) -> None:
        if self._draws:
            self._draws.close()
        if self._handle is not None:
            self._api.llama_sampler_free(self._handle)
            self._handle = None

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def draw_all(chains: Sequence[Chain], rows: Sequence[NDArray[np.float32]], threads: int) -> list[Draw]:
    """What each chain draws from its row `[vocab]`; those that the compiled loops serve side by side on `threads`."""
    together = [place for place, chain in enumerate(chains) if chain._draws]
    found: dict[int, Draw | None] = {}
    if len(together) > 1:
        compiled = [draws for place in together if (draws := chains[place]._draws)]
        drawn = kernel.Draws.draw_all(compiled, [rows[place] for place in together], threads)
        found = {place: chains[place]._taken(one) for place, one in zip(together, drawn, strict=True)}
    return [
        (found[place] or chain._draw_by_chain(row)) if place in found else chain.draw(row)
        for place, (chain, row) in enumerate(zip(chains, rows, strict=True))
    ]


def _as_given(temperature: float) -> float:
    """The temperature that a sampler is given: float32 cannot hold every one."""
    return math.copysign(min(max(abs(temperature), _SMALLEST), _LARGEST), temperature)
