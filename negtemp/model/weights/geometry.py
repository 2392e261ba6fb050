"""The geometry of one matrix of a file: two passes over its rows, by as many threads as there are cores.

The first pass sums, the second measures, and dequantises again: that costs less than fresh memory, but for a few types
where ggml branches on the sign of every value, and half the guesses of the processor are wrong. Of those, as many rows
as fit into 240 MiB are remembered. It leaves out the formulas (`theory.geometry`).
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from negtemp.model.threads import default_threads
from negtemp.model.weights.tensors import Rows, Tensor
from negtemp.theory import geometry
from negtemp.theory.geometry import Array, Geometry, Part

# measured: 3.4 ns a value and more on one core, where others take 0.1 to 1.2
_SLOW_TYPES = ("iq2_", "iq3_", "q1_0")
_REMEMBERED_BYTES = 240 << 20
_BLOCK_VALUES = 1 << 19


def measure(tensor: Tensor, threads: int | None = None) -> Geometry:
    """Every row of `[rows, dim]` against the centroid of all. Raises ModelError where the file cannot be read."""
    budget = _REMEMBERED_BYTES if tensor.type.startswith(_SLOW_TYPES) else 0
    count = min(tensor.rows, budget // (4 * max(1, tensor.dim)))
    remembered, rest = np.empty((count, tensor.dim), np.float32), tensor.after(count)

    def remember(first: int, block: Rows) -> tuple[Array, int]:
        remembered[first : first + len(block)] = block
        return geometry.block_sum(block)

    sums = tensor.first(count).map(remember, threads)
    sums += rest.map(lambda _, block: geometry.block_sum(block), threads)
    centroid = geometry.mean(sums)
    point = centroid.astype(np.float32)
    parts = _parts(remembered, point, threads)
    parts += rest.map(lambda _, block: geometry.block_part(block, point), threads)
    return geometry.geometry(centroid, parts)


def _parts(rows: Rows, point: Rows, threads: int | None) -> list[Part]:
    """`block_part` of rows in memory, which are left overwritten."""
    step = max(1, _BLOCK_VALUES // max(1, rows.shape[1]))
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    with ThreadPoolExecutor(threads or default_threads()) as pool:
        return list(pool.map(lambda block: geometry.block_part(block, point), blocks))
