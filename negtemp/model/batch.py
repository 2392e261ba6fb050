"""The input of one decode: token ids, positions and sequences in arrays that llama.cpp reads in place.

A `llama_batch` over memory of numpy's own is filled by slices, at a fraction of what setting a C array entry by entry
costs, and needs no freeing. Each token belongs to one sequence. It leaves out the decode itself (`context`).

Source: llama.h, `struct llama_batch`.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Batch:
    """Room for `capacity` tokens; `struct` is what `llama_decode` takes."""

    def __init__(self, api: Any, capacity: int) -> None:
        self._tokens, self._positions = np.zeros(capacity, np.int32), np.zeros(capacity, np.int32)
        self._sequences, self._wanted = np.zeros(capacity, np.int32), np.zeros(capacity, np.int8)
        self._counts = np.ones(capacity, np.int32)
        # one pointer for each token, to the one sequence that it belongs to
        step = self._sequences.itemsize
        self._pointers = np.arange(capacity, dtype=np.uintp) * step + self._sequences.ctypes.data
        arrays: dict[str, NDArray[Any]] = {
            "token": self._tokens, "pos": self._positions, "n_seq_id": self._counts, "seq_id": self._pointers,
            "logits": self._wanted,
        }  # fmt: skip
        types = dict(api.llama_batch._fields_)
        self.struct = api.llama_batch(
            n_tokens=0, **{name: ctypes.cast(array.ctypes.data, types[name]) for name, array in arrays.items()}
        )

    def fill(self, token_ids: Sequence[int], positions: ArrayLike, sequences: ArrayLike, wanted: ArrayLike) -> None:
        """The tokens of the next decode; a row of logits comes for each that is `wanted`."""
        count = len(token_ids)
        self._tokens[:count], self._positions[:count] = token_ids, positions
        self._sequences[:count], self._wanted[:count] = sequences, wanted
        self.struct.n_tokens = count

    def fill_each(self, entries: Sequence[tuple[int, int, int]]) -> None:
        """The same from (token id, position, sequence), all wanted: for a few, one by one is faster than by slices."""
        count = len(entries)
        for index, (token_id, position, sequence) in enumerate(entries):
            self._tokens[index], self._positions[index], self._sequences[index] = token_id, position, sequence
        self._wanted[:count] = True
        self.struct.n_tokens = count
