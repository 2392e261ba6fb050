"""One llama.cpp context: a unified KV cache that several sequences share, and the logits of the last decode.

A decode takes one token per live sequence, or a prompt for one sequence. Rows of logits are read in place: they are
views into the library's buffer, good until the next decode. It leaves out sampling and any notion of a request.

Source: llama.h, `llama_decode`, `llama_memory_seq_cp`; shared/unified cache as in llama.cpp's batched-bench.
"""

import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import DecodeError, PromptError
from negtemp.model.loaded import Model

Logits = NDArray[np.float32]

PROMPT_PIECE = 512
_CELLS_GRAIN = 256


def default_threads() -> int:
    """Physical cores that this process may use, at most OMP_NUM_THREADS of them where that is set.

    A second thread on one core only slows llama.cpp down.
    """
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(_cores(), int(wished)) if wished.isdecimal() and int(wished) else _cores()


def _cores() -> int:
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # no such call on macOS
        return os.cpu_count() or 1
    return max(1, len({_siblings(cpu) for cpu in allowed}))


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


class Context:
    """KV cache and compute buffers for `sequences` sequences over `cells` cells. Close it, or use `with`."""

    def __init__(self, model: Model, sequences: int, cells: int, threads: int | None = None) -> None:
        """Raises DecodeError where the memory cannot be had."""
        self._api = model.library.api
        self._library = model.library
        self._vocab = model.vocabulary.size
        self._views: dict[int, Logits] = {}
        self._handle = self._api.llama_init_from_model(model.handle, self._params(sequences, cells, threads))
        if not self._handle:
            raise DecodeError(
                f"no context of {cells} cells for {sequences} sequences: {self._library.last_errors()}; "
                "lower --ctx-size or --n-predict"
            )
        self._memory = self._api.llama_get_memory(self._handle)
        self.capacity = max(PROMPT_PIECE, sequences)
        self._batch = self._api.llama_batch_init(self.capacity, 0, 1)

    def _params(self, sequences: int, cells: int, threads: int | None) -> Any:
        limit = self._api.llama_max_parallel_sequences()
        if sequences > limit:
            raise DecodeError(f"{sequences} sequences at once; llama.cpp takes at most {limit}: ask for fewer")
        params = self._api.llama_context_default_params()
        params.n_ctx = -(-cells // _CELLS_GRAIN) * _CELLS_GRAIN
        params.n_batch = params.n_ubatch = max(PROMPT_PIECE, sequences)
        params.n_seq_max = params.n_outputs_max = sequences
        params.n_threads = params.n_threads_batch = threads or default_threads()
        params.kv_unified = True
        return params

    def prompt(self, token_ids: Sequence[int], sequence: int) -> Logits:
        """Decode a whole prompt on one empty sequence, in pieces; the logits after its last token, `[vocab]`.

        Raises PromptError where it has no token.
        """
        if not token_ids:
            raise PromptError("the prompt has no token and this model adds none; give a prompt with --prompt")
        rows: Sequence[Logits] = ()
        for start in range(0, len(token_ids), PROMPT_PIECE):
            piece = token_ids[start : start + PROMPT_PIECE]
            last = start + len(piece) == len(token_ids)
            for index, token_id in enumerate(piece):
                self._place(index, token_id, start + index, sequence, last and index == len(piece) - 1)
            self._decode(len(piece))
            rows = [self._row(-1)] if last else ()
        return rows[0]

    def step(self, tokens: Sequence[tuple[int, int, int]]) -> Iterator[Logits]:
        """Decode one (token id, position, sequence) for each live sequence; a row `[vocab]` for each, in order."""
        for index, (token_id, position, sequence) in enumerate(tokens):
            self._place(index, token_id, position, sequence, True)
        self._decode(len(tokens))
        return map(self._row, range(len(tokens)))

    def batch(self, entries: Sequence[tuple[int, int, int, bool]]) -> Iterator[Logits]:
        """Decode (token id, position, sequence, wanted) of any sequences; a row `[vocab]` for each wanted, in order.

        At most `capacity` entries, `sequences` of them wanted.
        """
        for index, (token_id, position, sequence, wanted) in enumerate(entries):
            self._place(index, token_id, position, sequence, wanted)
        self._decode(len(entries))
        return map(self._row, [index for index, entry in enumerate(entries) if entry[3]])

    def _place(self, index: int, token_id: int, position: int, sequence: int, output: bool) -> None:
        batch = self._batch
        batch.token[index], batch.pos[index] = token_id, position
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
        batch.logits[index] = output

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        status = self._api.llama_decode(self._handle, self._batch)
        if status == 1:
            raise DecodeError("the KV cache is full; raise --ctx-size or ask for fewer sequences")
        if status != 0:
            raise DecodeError(f"llama.cpp failed to decode (status {status}): {self._library.last_errors()}")

    def _row(self, index: int) -> Logits:
        pointer = self._api.llama_get_logits_ith(self._handle, index)
        address = ctypes.cast(pointer, ctypes.c_void_p).value
        if not address:
            raise DecodeError("this model computes no logits; negtemp needs a causal language model")
        view = self._views.get(address)
        if view is None:  # making a view costs as much as decoding a small model, so keep it
            view = self._views[address] = np.ctypeslib.as_array(pointer, shape=(self._vocab,))
        return view

    def share(self, source: int, target: int) -> None:
        """Let `target` see everything decoded on `source` so far; no data moves."""
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def drop(self, sequence: int, start: int = -1) -> bool:
        """Free the cells that only this sequence holds, from position `start` on; False where the model's memory
        cannot be cut there (a recurrent state).
        """
        return bool(self._api.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def close(self) -> None:
        if self._handle:
            self._api.llama_batch_free(self._batch)
            self._api.llama_free(self._handle)
            self._handle = None
            self._views.clear()

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
