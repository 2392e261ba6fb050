"""What the page gets as numbers: the vocabulary, the map of a matrix, and the frames in which they travel.

    4 bytes            length of the head, little-endian, itself included up to the first array
    the head           JSON; `arrays` lists name, type and length of each array
    the arrays         one after the other, each at a multiple of 8 bytes

A vocabulary of 262,144 logits is 1 MB so, and the page reads it without parsing. `page/frames.js` is the other side.
What is shown of a token is made here, by the one function that makes bytes safe to show (`printable`), and never by the
page. The map places every token by the first two principal components of a matrix (`theory.geometry`) and says how far
each lies from the centroid; rows that are not finite have NaN for a place. It leaves out the drawing, which is the
page's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments.centroid import categories
from negtemp.model.tokens.vocabulary import CATEGORIES, Vocabulary
from negtemp.model.weights.geometry import measure
from negtemp.model.weights.tensors import Rows, Tensor
from negtemp.printable import printable
from negtemp.theory.geometry import Array, components

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


def pieces(vocabulary: Vocabulary) -> bytes:
    """A frame of bytes, safe views and what the file says of each token."""
    raw = [vocabulary.piece(token_id) for token_id in range(vocabulary.size)]
    shown = [printable(piece).encode() for piece in raw]
    given = [vocabulary.category(token_id) for token_id in range(vocabulary.size)]
    names, codes = _coded(given)
    raw_ends, raw_bytes = _joined(raw)
    shown_ends, shown_bytes = _joined(shown)
    return frame(
        {"categories": names}, category=codes, raw_ends=raw_ends, raw=raw_bytes, shown_ends=shown_ends,
        shown=shown_bytes,
    )  # fmt: skip


def round_trip(vocabulary: Vocabulary) -> bytes:
    """A frame of the categories by round trip."""
    names, codes = _coded(categories(vocabulary))
    return frame({"categories": names}, category=codes)


def _coded(given: Sequence[str]) -> tuple[list[str], NDArray[np.uint8]]:
    """The names that occur, and each token's place among them; those that a file has first, in its own order."""
    known: Iterable[str] = CATEGORIES
    names = [name for name in dict.fromkeys([*known, *given]) if name in set(given)]
    place = {name: index for index, name in enumerate(names)}
    return names, np.array([place[name] for name in given], np.uint8)


def _joined(parts: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where each part ends, and all parts one after the other."""
    ends = np.cumsum([len(part) for part in parts], dtype=np.uint32)
    return ends, np.frombuffer(b"".join(parts), np.uint8)


def projected(tensor: Tensor, threads: int | None) -> bytes:
    """A frame of `x`, `y`, `distance` and `percentile`, one for each row. Raises ModelError where it cannot be read."""
    found = measure(tensor, threads)
    centroid = found.centroid.astype(np.float32)
    known = np.isfinite(found.distances)

    def multiply(directions: Array) -> Array:
        narrow = directions.astype(np.float32)
        parts = tensor.map(lambda _, block: _product(block, centroid, narrow), threads)
        return np.asarray(np.sum(parts, axis=0, dtype=np.float64) / max(1, int(known.sum())))

    best = components(multiply, tensor.dim)
    plane = best.directions.astype(np.float32)
    places = np.concatenate(tensor.map(lambda _, block: _centred(block, centroid) @ plane, threads))
    places[~known] = np.nan
    total = float(np.mean(found.distances[known] ** 2)) if known.any() else 0.0
    shares = [float(variance) / total if total else 0.0 for variance in best.variances]
    width = places.shape[1]
    columns = [
        np.ascontiguousarray(places[:, axis]) if axis < width else np.zeros(len(places), np.float32) for axis in (0, 1)
    ]
    return frame(
        {"shares": shares, "dim": tensor.dim}, x=columns[0], y=columns[1],
        distance=found.distances.astype(np.float32), percentile=found.percentiles.astype(np.float32),
    )  # fmt: skip


def _centred(block: Rows, centroid: NDArray[np.float32]) -> Rows:
    return np.asarray(block - centroid)


def _product(block: Rows, centroid: NDArray[np.float32], directions: NDArray[np.float32]) -> Array:
    """What the finite rows of a block add to the covariance times `directions`."""
    rows = _centred(block, centroid)
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return np.asarray(rows.T @ (rows @ directions), np.float64)
