"""Quantised copies of small GGUF files, in every type that the library can quantise to.

The library's own quantiser makes the blocks and its own writer the head of the file, since gguf-py does not know the
newest types.
"""

import ctypes
import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from negtemp.model.library import Library
from negtemp.model.weights.gguf import InitParams

# enum ggml_type: every type that ggml_quantize_chunk takes
TYPES = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_K": 10, "q3_K": 11, "q4_K": 12,
    "q5_K": 13, "q6_K": 14, "iq2_xxs": 16, "iq2_xs": 17, "iq3_xxs": 18, "iq1_s": 19, "iq4_nl": 20, "iq3_s": 21,
    "iq2_s": 22, "iq4_xs": 23, "iq1_m": 29, "bf16": 30, "tq1_0": 34, "tq2_0": 35, "mxfp4": 39, "nvfp4": 40,
    "q1_0": 41, "q2_0": 42,
}  # fmt: skip
# every type's block divides this width
WIDTH = 256


def quantise(library: Library, values: NDArray[np.float32], type_name: str) -> NDArray[np.uint8]:
    """The bytes of `[rows, dim]` values in a type, with every weight of the importance matrix 1."""
    ggml, number = library.ggml, TYPES[type_name]
    ggml.ggml_row_size.restype, ggml.ggml_row_size.argtypes = ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]
    rows, dim = values.shape
    source, importance = np.ascontiguousarray(values, np.float32), np.ones(dim, np.float32)
    data = np.zeros(rows * ggml.ggml_row_size(number, dim), np.uint8)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    written = ggml.ggml_quantize_chunk(
        number, source.ctypes.data, data.ctypes.data, 0, rows, dim, importance.ctypes.data
    )
    assert written == len(data)
    return data


def quantised_copy(library: Library, source: Path, target: Path, type_name: str) -> Path:
    """`source`, an F32 file, with every matrix in another type; norms and biases stay as they are."""
    ggml = _declared(library.ggml)
    head = ggml.gguf_init_from_file(os.fsencode(source), InitParams(no_alloc=True, ctx=None))
    data = b""
    for tensor in gguf.GGUFReader(source).tensors:
        values = np.array(tensor.data)
        if values.ndim == 2:
            values = quantise(library, values, type_name)
            ggml.gguf_set_tensor_type(head, tensor.name.encode(), TYPES[type_name])
        data += values.tobytes() + bytes(-values.nbytes % gguf.GGUF_DEFAULT_ALIGNMENT)
    # ggml's writer would follow pointers that its reader left unset, so only the head is its work
    assert ggml.gguf_write_to_file(head, os.fsencode(target), True)
    ggml.gguf_free(head)
    with target.open("ab") as file:
        file.write(data)
    return target


def _declared(ggml: Any) -> Any:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    ggml.gguf_init_from_file.restype, ggml.gguf_init_from_file.argtypes = pointer, [text, InitParams]
    ggml.gguf_set_tensor_type.argtypes = [pointer, text, ctypes.c_int]
    ggml.gguf_write_to_file.restype, ggml.gguf_write_to_file.argtypes = ctypes.c_bool, [pointer, text, ctypes.c_bool]
    ggml.gguf_free.argtypes = [pointer]
    return ggml
