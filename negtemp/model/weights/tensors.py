"""Any tensor of a GGUF file by rows, as float32, through the dequantiser of the installed library.

A matrix is never whole in memory: rows come in blocks of about two megabytes, read from the file into a buffer that the
next block overwrites. ggml's functions run outside Python's lock, so that several threads share the blocks of one
tensor. Plain reads, not a memory map: a file that shrinks meanwhile ends in an error and not in a signal.

It leaves out what the rows mean (`theory.geometry`), and types that hold no weights (integers, F64).

Source: ggml.h, `ggml_get_type_traits(type)->to_float`.
"""

import ctypes
import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ModelError
from negtemp.model.library import Library
from negtemp.model.threads import default_threads
from negtemp.model.weights import gguf
from negtemp.printable import printable_path

EMBEDDING, UNEMBEDDING, BIAS = "token_embd.weight", "output.weight", "output.bias"
NORM, NORM_BIAS = "output_norm.weight", "output_norm.bias"

Rows = NDArray[np.float32]
Result = TypeVar("Result")

# smaller blocks would stay in a core's cache, but make threads wait for each other at Python's lock
_BLOCK_VALUES = 1 << 19
_SPANS_PER_THREAD = 8
_MULTIPLIED = re.compile(r"(?:token_embd|output|blk\.\d+\.(?:attn_(?:q|k|v|qkv|output)|ffn_(?:up|down|gate)))\.weight")
_F32 = 0
_TO_FLOAT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class _Traits(ctypes.Structure):
    """struct ggml_type_traits"""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("block", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", _TO_FLOAT),
        ("from_float", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of an open file, `[rows, dim]`; `type` is ggml's name of how it is stored, such as `q4_K`."""

    name: str
    type: str
    rows: int
    dim: int
    _file: int
    _offset: int
    _row_bytes: int
    _to_float: Any

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Rows]]:
        """(index of the first row, `[n, dim]` float32) from row `start` up to `stop`; the next block overwrites it.

        Raises ModelError where the file can no longer be read.
        """
        stop = self.rows if stop is None else stop
        most = max(1, min(_BLOCK_VALUES // max(1, self.dim), stop - start))
        values = np.empty((most, self.dim), np.float32)
        raw = (
            values.reshape(-1).view(np.uint8) if self._to_float is None else np.empty(most * self._row_bytes, np.uint8)
        )
        for first in range(start, stop, most):
            count = min(most, stop - first)
            self._fill(first, raw[: count * self._row_bytes], values)
            yield first, values[:count]

    def map(self, function: Callable[[int, Rows], Result], threads: int | None = None) -> list[Result]:
        """`function(index of the first row, [n, dim])` of every block, several at once; results in the order of rows.

        What `function` returns must not share the block's memory. `threads` of None means every physical core.
        """
        workers = threads or default_threads()
        step = max(1, -(-self.rows // (workers * _SPANS_PER_THREAD)))
        starts = range(0, self.rows, step)

        def span(start: int) -> list[Result]:
            return [function(*block) for block in self.blocks(start, min(start + step, self.rows))]

        if workers == 1:
            return [result for start in starts for result in span(start)]
        with ThreadPoolExecutor(workers) as pool:
            return [result for results in pool.map(span, starts) for result in results]

    def first(self, rows: int) -> "Tensor":
        """The same tensor less every row from `rows` on, such as padding beyond the vocabulary."""
        return dataclasses.replace(self, rows=min(rows, self.rows))

    def after(self, rows: int) -> "Tensor":
        """The same tensor less its first `rows` rows."""
        skipped = min(rows, self.rows)
        return dataclasses.replace(self, rows=self.rows - skipped, _offset=self._offset + skipped * self._row_bytes)

    def take(self, indices: Sequence[int]) -> Rows:
        """The rows of these indices, `[n, dim]`, a copy. Raises ModelError for a row that does not exist."""
        taken = np.empty((len(indices), self.dim), np.float32)
        for place, index in enumerate(indices):
            if not 0 <= index < self.rows:
                raise ModelError(f"{self.name} has no row {index}; it has rows 0 to {self.rows - 1}")
            taken[place] = next(self.blocks(index, index + 1))[1][0]
        return taken

    def values(self) -> Rows:
        """The whole tensor, `[rows, dim]`, a copy: for a bias or a norm."""
        return self.take(range(self.rows))

    def _fill(self, first: int, raw: NDArray[np.uint8], values: Rows) -> None:
        self._read(raw, self._offset + first * self._row_bytes)
        if self._to_float is not None:
            count = len(raw) // self._row_bytes * self.dim
            self._to_float(raw.ctypes.data, values.ctypes.data, count)

    def _read(self, raw: NDArray[np.uint8], offset: int) -> None:
        view = raw.data
        while view:
            try:
                count = os.preadv(self._file, [view], offset)
            except OSError as error:
                raise ModelError(f"cannot read {self.name}: {error.strerror}; check the disk") from error
            if not count:
                raise ModelError(f"{self.name} is cut off: the file ends at byte {offset}; it has changed meanwhile")
            view, offset = view[count:], offset + count


class Weights:
    """The tensors of one model file, or of all its splits. Close it, or use it as a context manager."""

    def __init__(self, library: Library, path: Path) -> None:
        """Raises ModelError for a file that ggml cannot read, that is cut off, or of which a split is missing."""
        self.path = path
        self._ggml = library.ggml
        self._contents = gguf.contents(library, path)
        self._files: dict[Path, int] = {}
        self._open = ExitStack()

    @property
    def names(self) -> list[str]:
        """Names of all tensors, in the order of the file."""
        return list(self._contents.entries)

    @property
    def architecture(self) -> str:
        """What the file calls its architecture, such as `llama`; empty where it does not."""
        return self._contents.architecture

    @property
    def tokens(self) -> int:
        """Length of the token list; a matrix may have more rows, padding that no token names."""
        return self._contents.tokens

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name. Raises ModelError where there is none, or its type holds no weights."""
        entry = self._contents.entries.get(name)
        if entry is None:
            raise ModelError(f"{printable_path(self.path)} has no tensor {name}; give a GGUF file of a language model")
        type_name, to_float = _dequantiser(self._ggml, entry)
        bytes_per_row = entry.size // entry.rows if entry.rows else 0
        return Tensor(
            name, type_name, entry.rows, entry.dim, self._file(entry.path), entry.offset, bytes_per_row, to_float
        )

    def _file(self, path: Path) -> int:
        if path not in self._files:
            try:
                self._files[path] = self._open.enter_context(path.open("rb")).fileno()
            except OSError as error:
                raise ModelError(f"cannot read {printable_path(path)}: {error.strerror}") from error
        return self._files[path]

    @property
    def tied(self) -> bool:
        """Whether the unembedding is the embedding."""
        return UNEMBEDDING not in self._contents.entries

    @functools.cached_property
    def embedding(self) -> Tensor:
        """One row for each token that goes in. Raises ModelError for a file without embeddings."""
        return self.tensor(EMBEDDING)

    @functools.cached_property
    def unembedding(self) -> Tensor:
        """One row for each logit that comes out; the embedding itself where they are tied."""
        return self.embedding if self.tied else self.tensor(UNEMBEDDING)

    def vector(self, name: str) -> Rows | None:
        """A one-row tensor such as BIAS or NORM, `[dim]`; None where the file has none."""
        return self.tensor(name).values()[0] if name in self._contents.entries else None

    def close(self) -> None:
        """Close the files; tensors cannot be read any more."""
        self._open.close()
        self._files.clear()

    def __enter__(self) -> "Weights":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_types(library: Library, contents: gguf.Contents) -> None:
    """Raise ModelError for a matrix that is multiplied and stored as whole numbers: ggml has no product of these, and
    llama.cpp loads the file and ends the process at the first token.
    """
    for entry in contents.entries.values():
        if entry.rows > 1 and _MULTIPLIED.fullmatch(entry.name):
            _dequantiser(library.ggml, entry)


def _dequantiser(ggml: Any, entry: gguf.Entry) -> tuple[str, Any]:
    """ggml's name of a type, and its function to float32; None for F32, which needs none. Raises ModelError."""
    ggml.ggml_get_type_traits.restype = ctypes.POINTER(_Traits)
    ggml.ggml_get_type_traits.argtypes = [ctypes.c_int]
    traits = ggml.ggml_get_type_traits(entry.type).contents
    name = traits.type_name.decode("ascii", "replace")
    if entry.type == _F32:
        return name, None
    if not traits.to_float:
        raise ModelError(f"{entry.name} is stored as {name}, which ggml cannot turn into floats; use another file")
    return name, traits.to_float
