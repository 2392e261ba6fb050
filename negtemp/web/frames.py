"""Numbers on their way to the page: arrays as they lie in memory, behind a short head that says what they are.

    4 bytes            length of the head, little-endian, itself included up to the first array
    the head           JSON; `arrays` lists name, type and length of each array
    the arrays         one after the other, each at a multiple of 8 bytes

A vocabulary of 262,144 logits is 1 MB so, and the page reads it without parsing. `page/frames.js` is the other side.
It leaves out what the arrays mean.
"""

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

# names of JavaScript's typed arrays
_TYPES = {"uint8": "Uint8Array", "uint32": "Uint32Array", "float32": "Float32Array", "float64": "Float64Array"}
_GRAIN = 8


def frame(head: Mapping[str, Any], **arrays: NDArray[Any]) -> bytes:
    """The bytes of a head and its arrays, each of one dimension, of a type named above."""
    listed = [{"name": name, "type": _TYPES[array.dtype.name], "length": len(array)} for name, array in arrays.items()]
    text = json.dumps({**head, "arrays": listed}, allow_nan=False).encode()
    text += b" " * (-(4 + len(text)) % _GRAIN)
    parts = [(4 + len(text)).to_bytes(4, "little"), text]
    for array in arrays.values():
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        parts += [data, bytes(-len(data) % _GRAIN)]
    return b"".join(parts)
