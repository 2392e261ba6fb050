"""One llama.cpp context: a unified KV cache that several sequences share, and the logits of the last decode.

A decode takes one token per live sequence, or a prompt for one sequence. Rows of logits are read in place: they are
views into the library's buffer, good until the next decode. What a cache takes, and what memory there is, is counted
here too. It leaves out sampling and any notion of a request.

Source: llama.h, `llama_decode`, `llama_memory_seq_cp`; shared/unified cache as in llama.cpp's batched-bench.
"""

import ctypes
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from negtemp.errors import DecodeError, PromptError
from negtemp.model.llama.model import Model
from negtemp.model.threads import default_threads

Logits = NDArray[np.float32]

PROMPT_PIECE = 512
_CELLS_GRAIN = 256
_VALUE_BYTES = 2  # keys and values are kept in 16 bits


class Batch:
    """The input of one decode: room for `capacity` tokens; `struct` is what `llama_decode` takes.

    A `llama_batch` over memory of numpy's own is filled by slices, at a fraction of what setting a C array entry by
    entry costs, and needs no freeing. Each token belongs to one sequence.
    """

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


class Context:
    """KV cache and compute buffers for `sequences` sequences over `cells` cells. Close it, or use `with`.

    A step may be padded to `widest` rows; the padding is a sequence of its own, `padding_sequence`, and takes as many
    cells meanwhile.
    """

    def __init__(
        self, model: Model, sequences: int, cells: int, threads: int | None = None, *, widest: int = 0
    ) -> None:  # fmt: skip
        """Raises DecodeError where there is not enough memory."""
        self._api = model.library.api
        self._library = model.library
        self._vocab = model.vocabulary.size
        self._views: dict[int, list[Logits]] = {}
        self.padding_sequence = sequences
        self.threads = threads or default_threads()
        all_sequences = sequences + (widest > 0)
        self._rows = max(all_sequences, widest)
        self.capacity = max(PROMPT_PIECE, self._rows)
        self._handle = self._api.llama_init_from_model(model.handle, self._params(all_sequences, cells))
        if not self._handle:
            raise DecodeError(
                f"no context of {cells} cells for {sequences} sequences: {self._library.last_errors()}; "
                "lower `ctx_size` or `n_predict`"
            )
        # as a number, which is many times cheaper than the pointer that the binding makes
        address_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        self._logits_address = ctypes.cast(self._api.llama_get_logits, address_of)
        self._memory = self._api.llama_get_memory(self._handle)
        self._batch = Batch(self._api, self.capacity)

    def _params(self, sequences: int, cells: int) -> Any:
        limit = self._api.llama_max_parallel_sequences()
        if sequences > limit:
            raise DecodeError(f"{sequences} sequences at once; llama.cpp takes at most {limit}: ask for fewer")
        params = self._api.llama_context_default_params()
        params.n_ctx = -(-cells // _CELLS_GRAIN) * _CELLS_GRAIN
        params.n_batch = params.n_ubatch = self.capacity
        params.n_seq_max, params.n_outputs_max = sequences, self._rows
        params.n_threads = params.n_threads_batch = self.threads
        params.kv_unified = True
        return params

    def prompt(self, token_ids: Sequence[int], sequence: int, start: int = 0) -> Logits:
        """Decode a prompt from `start` on, in pieces, on a sequence that holds what comes before; the logits after its
        last token, `[vocab]`.

        Raises PromptError where it has no token.
        """
        if not token_ids:
            raise PromptError("the prompt has no token and this model adds none; give another `prompt`")
        wanted = np.zeros(PROMPT_PIECE, np.bool_)
        for begin in range(start, len(token_ids), PROMPT_PIECE):
            end = min(begin + PROMPT_PIECE, len(token_ids))
            wanted[end - begin - 1] = end == len(token_ids)
            self._batch.fill(token_ids[begin:end], range(begin, end), sequence, wanted[: end - begin])
            wanted[end - begin - 1] = False
            self._decode()
        return self._logits(1)[0]

    def step(self, tokens: Sequence[tuple[int, int, int]], width: int = 0) -> Sequence[Logits]:
        """Decode one (token id, position, sequence) for each live sequence; a row `[vocab]` for each, in order.

        The batch is padded to `width` rows, `widest` at most: some widths take less time than smaller ones.
        """
        missing = width - len(tokens)
        padding = [(0, position, self.padding_sequence) for position in range(missing)]
        self._batch.fill_each([*tokens, *padding])
        self._decode()
        if missing > 0:
            self.drop(self.padding_sequence)
        return self._logits(len(tokens))

    def batch(self, entries: Sequence[tuple[int, int, int, bool]]) -> Sequence[Logits]:
        """Decode (token id, position, sequence, wanted) of any sequences; a row `[vocab]` for each wanted, in order.

        At most `capacity` entries, `sequences` of them wanted.
        """
        self._batch.fill(*zip(*entries, strict=True))
        self._decode()
        return self._logits(sum(entry[3] for entry in entries))

    def _decode(self) -> None:
        self.check(self._api.llama_decode(self._handle, self._batch.struct))

    def check(self, status: int) -> None:
        """Raise DecodeError where `llama_decode` gave a status other than 0."""
        if status == 1:
            raise DecodeError("the KV cache is full; raise `ctx_size` or ask for fewer sequences")
        if status != 0:
            raise DecodeError(f"llama.cpp failed to decode (status {status}): {self._library.last_errors()}")

    def _logits(self, count: int) -> Sequence[Logits]:
        """The first `count` wanted rows of the last decode, which lie one after the other in the library's buffer."""
        if count == 0:
            return ()
        address = self._logits_address(self._handle)
        if not address:
            raise DecodeError("this model computes no logits; negtemp needs a causal language model")
        views = self._views.get(address)
        if views is None:  # making views costs as much as decoding a small model, so keep them
            pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
            views = self._views[address] = list(np.ctypeslib.as_array(pointer, shape=(self._rows, self._vocab)))
        return views[:count]

    def addresses(self) -> tuple[int, int, int, int]:
        """Of `llama_decode`, `llama_get_logits`, the context and the batch, for loops that call them."""
        functions = (self._api.llama_decode, self._api.llama_get_logits)
        decode, get_logits = (int(ctypes.cast(each, ctypes.c_void_p).value or 0) for each in functions)
        return decode, get_logits, int(self._handle), ctypes.addressof(self._batch.struct)

    def share(self, source: int, target: int, until: int = -1) -> None:
        """Let `target` see what was decoded on `source` so far, up to position `until`; no data moves."""
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, until)

    def drop(self, sequence: int, start: int = -1) -> bool:
        """Free the cells that only this sequence holds, from position `start` on; False where the model's memory
        cannot be cut there (a recurrent state).
        """
        return bool(self._api.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def synchronize(self) -> None:
        """Wait until a device has computed what it was given."""
        self._api.llama_synchronize(self._handle)

    def clear(self) -> None:
        """Forget every sequence, so that the next one lies where the first one lay."""
        self._api.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        if self._handle:
            self._api.llama_free(self._handle)
            self._handle = None
            self._views.clear()

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cache_bytes(model: Model, cells: int) -> int:
    """Bytes of a KV cache of so many cells, as llama.cpp lays it out for attention: keys and values of every layer.

    Models with sliding windows or recurrent states take less; compute buffers, some tens of megabytes, come on top.
    """
    return cells * model.layers * model.key_value_width * 2 * _VALUE_BYTES


def free_bytes() -> int:
    """Bytes that this machine can still give, as Linux counts them; elsewhere half of what it has."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
