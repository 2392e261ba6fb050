"""One sequence's sampler chain, built from llama.cpp's low-level samplers, and the draw itself.

The order is upstream's: mask, penalties, top-k, top-p, min-p, temperature, draw. So with top-k 40 and T < 0 one gets
the least likely of the 40 most likely. Everything but temperature and draw is off by default. It leaves out statistics.

float32 cannot hold every T: outside 1e-30 to 1e30 the sampler is given the nearest of these, at which every choice is
already decided (or uniform) to the last bit. Exact greedy and antigreedy take the extreme token of lowest id.
"""

import ctypes
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model.filters import Filters, check_seed
from negtemp.model.library import TOKEN_DATA, Library, token_data_array
from negtemp.theory.temperature import Temperature

_SMALLEST, _LARGEST = 1e-30, 1e30
_PENALTY_WINDOW = 64


class Draw(NamedTuple):
    """One drawn token, ln of its probability under the chain, and what could not have been drawn (None: nothing).

    barred: token ids, or a mask `[vocab]`.
    """

    token_id: int
    logprob: float
    barred: NDArray[np.int32] | NDArray[np.bool_] | None


class Candidates:
    """The C array of a vocabulary's candidates, filled anew from logits before each draw. Chains may share one."""

    def __init__(self, api: Any, vocab: int) -> None:
        self._ids = np.arange(vocab, dtype=np.int32)
        self.data = np.zeros(vocab, TOKEN_DATA)
        self.id, self.logit, self.p = (self.data[name] for name in ("id", "logit", "p"))
        self.id[:] = self._ids
        self.array = token_data_array(api, self.data)
        self.reference = ctypes.byref(self.array)

    def fill(self, logits: NDArray[np.float32]) -> None:
        """Every token of the vocabulary in order, with raw logits `[vocab]`."""
        self.logit[:] = logits
        array = self.array
        array.size, array.selected, array.sorted = len(logits), -1, False

    def restore_order(self) -> None:
        """Put the ids back where a sampler moved them."""
        self.id[:] = self._ids


class Chain:
    """The C sampler chain of one sequence. Close it, or use it as a context manager."""

    def __init__(
        self, library: Library, vocab: int, temperature: Temperature, filters: Filters, seed: int,
        candidates: Candidates | None = None,
    ) -> None:  # fmt: skip
        """`candidates` of the same vocabulary may be shared with chains that do not draw at the same moment."""
        self._api = library.api
        self._deterministic = math.isinf(temperature.beta)
        self._reorders = filters.top_k > 0 or filters.top_p < 1.0 or filters.min_p > 0.0
        self._mask = np.array(filters.mask, np.int32) if filters.mask else None
        self._candidates = candidates or Candidates(self._api, vocab)
        self._handle = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        for sampler in self._samplers(vocab, temperature, filters, check_seed(seed)):
            self._api.llama_sampler_chain_add(self._handle, sampler)

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
        magnitude = min(max(abs(temperature.temperature), _SMALLEST), _LARGEST)
        signed = math.copysign(magnitude, temperature.temperature)
        return [api.llama_sampler_init_temp(signed), api.llama_sampler_init_dist(seed)]

    def draw(self, logits: NDArray[np.float32]) -> Draw:
        """Draw from raw logits `[vocab]` float32 and tell the chain (penalties remember)."""
        candidates = self._candidates
        candidates.fill(logits)
        self._api.llama_sampler_apply(self._handle, candidates.reference)
        selected = candidates.array.selected
        token_id = int(candidates.id[selected])
        p = 1.0 if self._deterministic else float(candidates.p[selected])
        self._api.llama_sampler_accept(self._handle, token_id)
        barred = self._filtered() if self._reorders else self._mask
        return Draw(token_id, math.log(p) if p > 0 else -math.inf, barred)

    def _filtered(self) -> NDArray[np.bool_]:
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

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
