"""A model file at another type, by llama.cpp's own quantiser.

`pure` is on: every matrix gets the type asked for, embedding and unembedding among them. Files in use mostly keep the
unembedding at Q6_K or Q8_0, which is kinder to the indicators than what is measured here. It leaves out importance
matrices.
"""

import ctypes
import os
from pathlib import Path

from negtemp.model.library import Library

# enum llama_ftype
FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K": 14, "Q6_K": 18, "BF16": 32}


def quantise(library: Library, source: Path, target: Path, name: str) -> None:
    """Write `target`, under another name until it is whole. Raises RuntimeError where llama.cpp refuses."""
    params = library.api.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.pure, params.allow_requantize = FILE_TYPES[name], 1, True, True
    unfinished = target.with_suffix(".part")
    status = library.api.llama_model_quantize(os.fsencode(source), os.fsencode(unfinished), ctypes.byref(params))
    if status != 0:
        raise RuntimeError(f"llama.cpp does not quantise {source.name} to {name}: {library.last_errors()}")
    unfinished.rename(target)
