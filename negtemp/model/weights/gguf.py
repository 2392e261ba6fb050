"""The table of contents of a GGUF file, or of all its splits, by ggml's own reader: tensors, and the keys that say what
the vocabulary and the architecture are.

Only the head of a file is read here; where each tensor's data lie is checked against the size of the file, so that a
truncated one is refused before anything is computed. It leaves out the data (`tensors`).

Source: gguf.h, `gguf_init_from_file` and what follows; llama.h, `llama_split_path` (model-00001-of-00003.gguf).
"""

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negtemp.errors import ModelError
from negtemp.model import model_file
from negtemp.model.library import Library
from negtemp.printable import printable, printable_path

_SPLIT = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
_DIMENSIONS = 4

# const void * and size_t arguments: what ctypes must be told before it calls
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "gguf_free": (None, [ctypes.c_void_p]),
    "gguf_get_data_offset": (ctypes.c_size_t, [ctypes.c_void_p]),
    "gguf_get_n_tensors": (ctypes.c_int64, [ctypes.c_void_p]),
    "gguf_get_tensor_name": (ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_tensor_type": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_tensor_offset": (ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_tensor_size": (ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_tensor_ne": (ctypes.POINTER(ctypes.c_int64), [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_find_key": (ctypes.c_int64, [ctypes.c_void_p, ctypes.c_char_p]),
    "gguf_get_kv_type": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_arr_n": (ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_val_u16": (ctypes.c_uint16, [ctypes.c_void_p, ctypes.c_int64]),
    "gguf_get_val_str": (ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int64]),
}
_UINT16, _STRING, _ARRAY = 2, 8, 9


class InitParams(ctypes.Structure):
    """struct gguf_init_params"""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor lies: `rows` rows of `dim` values of ggml's type number `type`, from byte `offset` of `path`."""

    name: str
    path: Path
    type: int
    rows: int
    dim: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What the heads of all files of one model say. `tokens` is the length of the token list, 0 where there is none."""

    entries: dict[str, Entry]
    architecture: str
    tokens: int


def contents(library: Library, path: Path) -> Contents:
    """The table of contents of the model that `path` begins. Raises ModelError, in one line."""
    entries: dict[str, Entry] = {}
    heads = [_read(library, part) for part in splits(library, path)]
    for head in heads:
        entries |= head.entries
    return Contents(entries, heads[0].architecture, max(head.tokens for head in heads))


def splits(library: Library, path: Path) -> list[Path]:
    """All files of a model, in order. A file is a part where its name and its head say so; others are whole models.

    Raises ModelError for a part that is missing, a file that is not the first part, or one that contradicts its name.
    """
    model_file.check(path)
    match = _SPLIT.fullmatch(path.name)
    if match is None:
        return [path]
    with _opened(library, path) as head:
        said = _number(library.ggml, head, b"split.count") or 1
    count = int(match["count"])
    if said == 1:
        return [path]
    if said != count:
        raise ModelError(
            f"{printable_path(path)} is a part of {said} by its head and of {count} by its name; rename it"
        )
    parts = [path.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
    for part in parts:
        if not part.exists():
            raise ModelError(f"{printable_path(part)} is missing; the model needs all of its {count} files")
        model_file.check(part)
    if path != parts[0]:
        raise ModelError(f"{printable_path(path)} is not the first part of its model; give {printable_path(parts[0])}")
    return parts


def _read(library: Library, path: Path) -> Contents:
    ggml = library.ggml
    with _opened(library, path) as head:
        start, end = ggml.gguf_get_data_offset(head), path.stat().st_size
        found = [_entry(ggml, head, path, start, index) for index in range(ggml.gguf_get_n_tensors(head))]
        for entry in found:
            if entry.offset + entry.size > end:
                raise ModelError(
                    f"{printable_path(path)} is cut off: {entry.name} ends at byte {entry.offset + entry.size} "
                    f"of a file of {end}; download or convert the model again"
                )
        return Contents({e.name: e for e in found}, _string(ggml, head, b"general.architecture"), _tokens(ggml, head))


@contextmanager
def _opened(library: Library, path: Path) -> Iterator[int]:
    """ggml's handle of a file's head, freed at the end. Raises ModelError with ggml's reason."""
    ggml = library.ggml
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(ggml, name)
        function.restype, function.argtypes = result, arguments
    ggml.gguf_init_from_file.restype = ctypes.c_void_p
    ggml.gguf_init_from_file.argtypes = [ctypes.c_char_p, InitParams]
    library.log.clear()
    head = ggml.gguf_init_from_file(os.fsencode(path), InitParams(no_alloc=True, ctx=None))
    if not head:
        raise ModelError(
            f"ggml cannot read {printable_path(path)}: {next(iter(library.log), 'no reason given')}; "
            "download or convert the model again"
        )
    try:
        yield head
    finally:
        ggml.gguf_free(head)


def _entry(ggml: Any, head: int, path: Path, start: int, index: int) -> Entry:
    shape = ggml.gguf_get_tensor_ne(head, index)[:_DIMENSIONS]
    return Entry(
        printable(ggml.gguf_get_tensor_name(head, index)), path, ggml.gguf_get_tensor_type(head, index),
        shape[1] * shape[2] * shape[3], shape[0], start + ggml.gguf_get_tensor_offset(head, index),
        ggml.gguf_get_tensor_size(head, index),
    )  # fmt: skip


def _string(ggml: Any, head: int, key: bytes) -> str:
    """A metadata string; empty where there is none, since ggml aborts the process on a wrong type."""
    index = ggml.gguf_find_key(head, key)
    if index < 0 or ggml.gguf_get_kv_type(head, index) != _STRING:
        return ""
    return printable(ggml.gguf_get_val_str(head, index))


def _number(ggml: Any, head: int, key: bytes) -> int | None:
    """A 16-bit metadata number; None where there is none."""
    index = ggml.gguf_find_key(head, key)
    if index < 0 or ggml.gguf_get_kv_type(head, index) != _UINT16:
        return None
    return int(ggml.gguf_get_val_u16(head, index))


def _tokens(ggml: Any, head: int) -> int:
    index = ggml.gguf_find_key(head, b"tokenizer.ggml.tokens")
    if index < 0 or ggml.gguf_get_kv_type(head, index) != _ARRAY:
        return 0
    return int(ggml.gguf_get_arr_n(head, index))
