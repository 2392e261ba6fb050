"""What the trained members of the second branch say of the level: their truths, their quantised files, and where the
never-seen tokens lie among the others.

`low` and `near` are AUCs of never-seen tokens against tokens seen more than five times, over contexts of the training
text: by a low mean logit, and by nearness to the level. The level is the median of the rows known to be unused (the
padding and the unused names), in five moments, each in units of its spread among the tokens that are not; the tokens
it is tried on are the others. `quantised` holds p and its spread as `level` has them, from llama.cpp's own files.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_model.export import read_network
from tiny_model.network import Network
from torch import Tensor

from audit.collapsed import PADDING, UNUSED, Collapsed
from audit.collapsing import batches_of, make_network, tokens_of
from audit.level import ROWS, over_contexts
from audit.quantisation import quantise
from negtemp.model import library
from negtemp.theory.statistics import auc
from negtemp.theory.thermal import ThermalSums

Array = NDArray[np.float64]

MOMENTS = ("thermal_plus_1", "thermal_plus_half", "mean_logit", "thermal_minus_half", "thermal_minus_1")
SEEN = 5
LEFT_OUT = ("counts", "since")


def measured(members: list[Collapsed]) -> Iterator[dict[str, Any]]:
    """A record of each member that is trained."""
    for member in members:
        if member.truth.exists():
            truth = json.loads(member.truth.read_text(encoding="utf-8"))
            shown, counts = torch.cat(batches_of(member, tokens_of(member)))[-ROWS:], np.array(truth["counts"])
            record = {name: value for name, value in truth.items() if name not in LEFT_OUT}
            network = read_network(member.file(), make_network(member).shape)
            yield record | where(network, shown, counts) | {"quantised": quantised(member, shown, counts == 0)}


def quantised(member: Collapsed, shown: Tensor, never: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """The level at each type: p, and the standard deviation of ln p over tokens."""
    which, loaded, found = torch.from_numpy(np.flatnonzero(never)), library.load(), {}
    for name in ("Q8_0", "Q4_0"):
        if not member.file(name).exists():
            quantise(loaded, member.file(), member.file(name), name)
        log_p, _ = over_contexts(read_network(member.file(name), make_network(member).shape), shown, which)
        chance = log_p.exp().mean(0)
        found[name] = {"p": float(chance.median()), "spread": float(chance.log().std())}
    return found


def where(network: Network, shown: Tensor, counts: NDArray[np.int64]) -> dict[str, float]:
    """`low` and `near` of a network over rows `[rows, length + 1]`."""
    sums = ThermalSums(len(counts))
    for row in shown:
        sums.add(network(row[None, :-1])[0].detach().numpy())
    found = sums.indicators()
    tokens = np.arange(len(counts)) < len(counts) - UNUSED - PADDING
    never, seen = tokens & (counts == 0), counts > SEEN
    near = nearness(np.stack([found[name] for name in MOMENTS]), ~tokens)
    return {"low": auc(found["mean_logit"][never], found["mean_logit"][seen]), "near": auc(near[never], near[seen])}


def nearness(moments: Array, known: NDArray[np.bool_]) -> Array:
    """Minus each token's distance from the median of the known ones, `[vocab]`, over moments `[n, vocab]`, each in
    units of its standard deviation among the others.

    >>> nearness(np.array([[0.0, 2.0, 2.0, 4.0]]), np.array([False, True, False, False])).round(3).tolist()
    [-1.225, -0.0, -0.0, -1.225]
    """
    level = np.median(moments[:, known], axis=1, keepdims=True)
    spread = moments[:, ~known].std(axis=1, keepdims=True)
    return np.asarray(-np.sqrt((((moments - level) / spread) ** 2).sum(axis=0)))
