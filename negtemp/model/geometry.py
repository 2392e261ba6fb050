"""The geometry of one matrix of a file: two passes over its rows, by as many threads as there are cores.

The second pass dequantises again, which costs less than the memory to remember the first. It leaves out the formulas
(`theory.geometry`).
"""

import functools

import numpy as np

from negtemp.model.weights import Tensor
from negtemp.theory import geometry
from negtemp.theory.geometry import Geometry


def measure(tensor: Tensor, threads: int | None = None) -> Geometry:
    """Every row of `[rows, dim]` against the centroid of all. Raises ModelError where the file cannot be read."""
    centroid = geometry.mean(tensor.map(lambda _, block: geometry.block_sum(block), threads))
    part = functools.partial(geometry.block_part, centroid=centroid.astype(np.float32))
    return geometry.geometry(centroid, tensor.map(lambda _, block: part(block), threads))
