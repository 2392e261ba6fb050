"""The geometry of one matrix of a file: two passes over its rows, by as many threads as there are cores.

The first pass sums, the second measures. As many rows as fit into 240 MiB are remembered from the first, since some
types take longer to dequantise than all the rest; the others are dequantised again. It leaves out the formulas
(`theory.geometry`).
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from negtemp.model.threads import default_threads
from negtemp.model.weights import Rows, Tensor
from negtemp.theory import geometry
from negtemp.theory.geometry import Array, Geometry, Part

_REMEMBERED_BYTES = 240 << 20
_BLOCK_VALUES = 1 << 18


def measure(tensor: Tensor, threads: int | None = None) -> Geometry:
    """Every row of `[rows, dim]` against the centroid of all. Raises ModelError where the file cannot be read."""
    count = min(tensor.rows, _REMEMBERED_BYTES // (4 * max(1, tensor.dim)))
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
