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
    """One drawn token, ln of its probability under the chain, and the ids that could have been drawn (None: all)."""

    token_id: int
    logprob: float
    candidates: NDArray[np.int32] | None


class Chain:
    """The C sampler chain of one sequence. Close it, or use it as a context manager."""

    def __init__(self, library: Library, vocab: int, temperature: Temperature, filters: Filters, seed: int) -> None:
        self._api = library.api
        self._reorders = filters.active
        self._deterministic = math.isinf(temperature.beta)
        self._ids = np.arange(vocab, dtype=np.int32)
        self._data = np.zeros(vocab, TOKEN_DATA)
        self._data["id"] = self._ids
        self._logit = self._data["logit"]
        self._array = token_data_array(self._api, self._data)
        self._reference = ctypes.byref(self._array)
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
        array = self._array
        if self._reorders:
            self._data["id"] = self._ids
        self._logit[:] = logits
        array.size, array.selected, array.sorted = len(self._data), -1, False
        self._api.llama_sampler_apply(self._handle, self._reference)
        chosen = self._data[array.selected]
        token_id = int(chosen["id"])
        self._api.llama_sampler_accept(self._handle, token_id)
        p = 1.0 if self._deterministic else float(chosen["p"])
        logprob = math.log(p) if p > 0 else -math.inf
        return Draw(token_id, logprob, self._candidates(array.size) if self._reorders else None)

    def _candidates(self, size: int) -> NDArray[np.int32]:
        kept = self._data[:size]
        return kept["id"][kept["logit"] > -np.inf]

    def close(self) -> None:
        if self._handle is not None:
            self._api.llama_sampler_free(self._handle)
            self._handle = None

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
