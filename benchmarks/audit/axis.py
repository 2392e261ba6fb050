"""The same indicator all along the temperature axis: where on it are unseen tokens told best, and how wide is the net?

At each inverse temperature beta the score of a token is -sign(beta) times its mean probability over the contexts of the
audit; at beta = 0 it is the limit, minus the mean logit; at beta = -inf the share of contexts in which it is the least
likely. `coverage` is the share of never-seen tokens that are the least likely one in any context at all: no ranking by
argmin can tell the others from seen tokens.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from audit.family import FOLDER, Member
from audit.scoring import THREADS, Scored
from negtemp.experiments import contexts
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.theory.boltzmann import probabilities

BETAS = (-math.inf, -4.0, -2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0)

Array = NDArray[np.float64]


def along(file: Scored) -> Array:
    """Scores of a scored file at every beta of BETAS, `[betas, vocab]`; computed once, then read back."""
    kept = FOLDER / f"{file.member.name}.{file.quantisation}.axis.npy"
    if not kept.exists():
        np.save(kept, _compute(file.member, file.quantisation))
    return np.asarray(np.load(kept))


def _compute(member: Member, quantisation: str) -> Array:
    loaded = library.load()
    with Model(loaded, member.file(quantisation)) as model:
        return sums(contexts.stream(Engine(model, THREADS)))


def sums(blocks: Iterable[NDArray[np.float32]]) -> Array:
    """Scores from blocks of logits `[contexts, vocab]`: `[betas, vocab]`, higher = more suspect, not divided."""
    total: Array | None = None
    for block in blocks:
        here = np.stack([_score(block, beta) for beta in BETAS])
        total = here if total is None else total + here
    assert total is not None
    return total


def _score(logits: NDArray[np.float32], beta: float) -> Array:
    if beta == 0:
        z = logits.astype(np.float64)
        return np.asarray((z.mean(axis=1, keepdims=True) - z).sum(axis=0))
    return np.asarray(-math.copysign(1.0, beta) * probabilities(logits, beta).sum(axis=0))


def coverage(file: Scored, scores: Array) -> float:
    """The share of never-seen tokens that are the least likely one somewhere."""
    return float((scores[BETAS.index(-math.inf)][file.counts == 0] > 0).mean())
