"""How one sequence draws its next token: by the compiled loops, or by llama.cpp's own samplers where filters are set.

The order is upstream's: mask, penalties, top-k, top-p, min-p, temperature, draw. So with top-k 40 and T < 0 one gets
the least likely of the 40 most likely. Everything but temperature and draw is off by default. With no filter beyond a
mask the compiled loops (`model.kernel`) draw the same tokens with the same probabilities, to the last bit, in a
fraction of the time; where they are missing, and with every other filter, a chain of llama.cpp's samplers draws.
Statistics are left out, but for those that the loops find in passing.

float32 cannot hold every T: outside 1e-30 to 1e30 the sampler is given the nearest of these, at which every choice is
already decided (or uniform) to the last bit. Exact greedy and antigreedy take the extreme token of lowest id.
"""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import DecodeError
from negtemp.model import kernel
from negtemp.model.engine.request import Filters, check_seed
from negtemp.model.kernel import CompiledSampler, Draw
from negtemp.model.library import TOKEN_DATA, Library, token_data_array
from negtemp.theory.temperature import Temperature

_SMALLEST, _LARGEST = 1e-30, 1e30
_PENALTY_WINDOW = 64

_ANY_FLOATS = np.zeros(64, np.float32)

Row = NDArray[np.float32]


class Candidates:
    """The C array of a vocabulary's candidates, filled anew from logits before each draw. Chains may share one."""

    def __init__(self, api: Any, vocab: int) -> None:
        self._ids = np.arange(vocab, dtype=np.int32)
        self.data = np.zeros(vocab, TOKEN_DATA)
        self.id, self.logit, self.p = (self.data[name] for name in ("id", "logit", "p"))
        self.restore_order()
        self.array = token_data_array(api, self.data)
        self.reference = ctypes.byref(self.array)

    def fill(self, logits: Row) -> None:
        """Every token of the vocabulary in order, with raw logits `[vocab]`."""
        self.logit[:] = logits
        # ggml's x86 kernels leave the upper halves of the vector registers in use, and until somebody clears them the
        # compiled sampler runs three times slower; numpy's kernels clear them when they end
        _ANY_FLOATS.argmin()
        array = self.array
        array.size, array.selected, array.sorted = len(logits), -1, False

    def restore_order(self) -> None:
        """Put the ids back where a sampler moved them."""
        self.id[:] = self._ids


class Samplers:
    """The C sampler chain of one sequence. Close it."""

    def __init__(
        self, library: Library, temperature: Temperature, filters: Filters, seed: int, candidates: Candidates
    ) -> None:  # fmt: skip
        self._api, self._candidates = library.api, candidates
        self._deterministic = math.isinf(temperature.beta)
        # any filter but these two moves candidates or leaves some out
        self._reorders = replace(filters, mask=(), repeat_penalty=1.0) != Filters()
        self._remembers = filters.repeat_penalty != 1.0
        self._mask = _ascending(filters.mask)
        self._handle = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        for sampler in [*self._filters(filters), *self._temperature(temperature, seed)]:
            self._api.llama_sampler_chain_add(self._handle, sampler)

    def _filters(self, filters: Filters) -> list[Any]:
        api, vocab = self._api, len(self._candidates.id)
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
        return samplers

    def _temperature(self, temperature: Temperature, seed: int) -> list[Any]:
        api = self._api
        if temperature.beta == math.inf:
            return [api.llama_sampler_init_greedy()]
        if temperature.beta == -math.inf:
            return [api.llama_sampler_init_temp(-_SMALLEST), api.llama_sampler_init_greedy()]
        given = _as_given(temperature.temperature)
        return [api.llama_sampler_init_temp(given), api.llama_sampler_init_dist(seed)]

    def draw(self, logits: Row) -> Draw:
        """Draw from raw logits `[vocab]` and tell the chain (penalties remember)."""
        candidates = self._candidates
        candidates.fill(logits)
        self._api.llama_sampler_apply(self._handle, candidates.reference)
        selected = candidates.array.selected
        token_id = int(candidates.id[selected])
        p = 1.0 if self._deterministic else float(candidates.p[selected])
        if self._remembers:
            self._api.llama_sampler_accept(self._handle, token_id)
        return Draw(token_id, _log(p), masked=self._mask, left_out=self._left_out() if self._reorders else None)

    def _left_out(self) -> NDArray[np.bool_]:
        """What the filters left out, `[vocab]`; the ids go back in order."""
        candidates = self._candidates
        size = candidates.array.size
        barred = np.ones(len(candidates.id), np.bool_)
        barred[candidates.id[:size][candidates.logit[:size] > -np.inf]] = False
        candidates.restore_order()
        return barred

    def close(self) -> None:
        if self._handle is not None:
            self._api.llama_sampler_free(self._handle)
            self._handle = None


class Chain:
    """What draws for one sequence. Close it, or use it as a context manager.

    One of two: `compiled`, which the loops are, or `samplers`, llama.cpp's.
    """

    def __init__(
        self, library: Library, vocab: int, temperature: Temperature, filters: Filters, seed: int,
        candidates: Candidates | None = None, threads: int = 1,
    ) -> None:  # fmt: skip
        """`candidates` of the same vocabulary may be shared with chains that do not draw at the same moment."""
        check_seed(seed)
        self._threads = threads
        self.compiled: CompiledSampler | None = None
        self.samplers: Samplers | None = None
        loops = kernel.find(library) if filters.only_mask else None
        if loops is None:
            candidates = candidates or Candidates(library.api, vocab)
            self.samplers = Samplers(library, temperature, filters, seed, candidates)
        else:
            given = 0.0 if math.isinf(temperature.beta) else _as_given(temperature.temperature)
            self.compiled = CompiledSampler(loops, given, temperature.beta, seed, _ascending(filters.mask))

    def draw(self, logits: Row) -> Draw:
        """Draw from raw logits `[vocab]`. Raises DecodeError where the loops find no distribution in them."""
        (found,) = draw_all([self], [logits], self._threads)
        if found is None:
            raise no_distribution()
        return found

    def close(self) -> None:
        for each in (self.compiled, self.samplers):
            if each is not None:
                each.close()

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def draw_all(
    chains: Sequence[Chain], rows: Sequence[Row], threads: int, observes: bool = False
) -> list[Draw | None]:  # fmt: skip
    """What each chain draws from its row `[vocab]`, the loops all together on `threads`, observed if so asked.

    None where the loops find no distribution in a row.
    """
    found: list[Draw | None] = [
        chain.samplers.draw(row) if chain.samplers else None for chain, row in zip(chains, rows, strict=True)
    ]
    compiled = [(place, chain.compiled) for place, chain in enumerate(chains) if chain.compiled]
    if compiled:
        samplers, among = [each for _, each in compiled], [rows[place] for place, _ in compiled]
        draws = CompiledSampler.draw_all(samplers, among, threads, observes)
        for (place, each), draw in zip(compiled, draws, strict=True):
            found[place] = draw and draw._replace(masked=each.masked)
    return found


def no_distribution() -> DecodeError:
    """The error of a sequence whose logits nothing can be drawn from."""
    return DecodeError("the model computes logits that are not numbers; its file is corrupt or not supported")


def _as_given(temperature: float) -> float:
    """The temperature that a sampler is given: float32 cannot hold every one."""
    return math.copysign(min(max(abs(temperature), _SMALLEST), _LARGEST), temperature)


def _ascending(mask: Sequence[int]) -> NDArray[np.int32] | None:
    return np.unique(np.array(mask, np.int32)) if mask else None


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf
