"""One row that is never a target, alone under AdamW against hidden states that stay as they are: seconds, not hours.

Never-seen rows have one history and come to coincide, so one row stands for all of them; what the rest of the network
does to it goes through the last hidden states h and the log of the other tokens' summed weights, log Z. Here both are
given and fixed: states drawn at random around a mean, log Z a constant. With

    p(h) = exp(u.h) / (Z(h) + exp(u.h)),    g = mean of p(h) h over a batch

the row takes AdamW's step with a warm-up and a cosine. What it leaves out: that the network moves its hidden states so
as to push such rows with less, that it scales them by a gain of its own, and that gradients are clipped.

Source: Loshchilov & Hutter 2019; the defaults of the betas are those of `collapsing`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BETAS = (0.9, 0.95)
WARM_UP = 50
CONTEXTS = 1024
LOG_Z = math.log(2048)


@dataclass(frozen=True)
class Push:
    """AdamW's part in one run: epsilon, decay, and the e-folds that the summed rate times the decay comes to."""

    epsilon: float = 1e-8
    decay: float = 0.1
    efolds: float = 8.0


def random_states(width: int, coherence: float, seeds: int, contexts: int = CONTEXTS) -> Array:
    """Hidden states of length sqrt(width), as after a norm without gain, at a cosine of `coherence` with a direction
    that each seed draws: [seeds, contexts, width].
    """
    return np.stack([_states(width, coherence, seed, contexts) for seed in range(1, seeds + 1)])


def _states(width: int, coherence: float, seed: int, contexts: int) -> Array:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=width)
    mean /= np.linalg.norm(mean)
    noise = rng.normal(size=(contexts, width))
    noise -= np.outer(noise @ mean, mean)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray((coherence * mean + math.sqrt(1 - coherence**2) * noise) * math.sqrt(width))


def chances(rows: Array, hidden: Array) -> Array:
    """The probability of each row's token in each context: rows [seeds, n, width] to [seeds, n, contexts]."""
    return np.asarray(1 / (1 + np.exp(np.minimum(LOG_Z - rows @ hidden.transpose(0, 2, 1), 700.0))))


def level(rows: Array, hidden: Array) -> Array:
    """Mean probability over the contexts, [seeds, n]."""
    return np.asarray(chances(rows, hidden).mean(axis=2))


def rate_shape(steps: int) -> Array:
    """A linear warm-up to 1, then half a cosine to a fiftieth of it, [steps]."""
    step = np.arange(steps)
    progress = np.clip((step - WARM_UP) / max(1, steps - WARM_UP), 0, 1)
    return np.where(step < WARM_UP, (step + 1) / WARM_UP, 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))


def settle(hidden: Array, pushes: Sequence[Push], steps: int, batch: int) -> Array:
    """Where the row ends under each `Push`, [seeds, pushes, width]; in a seed, all are shown the same batches."""
    rng, shape = np.random.default_rng(0), rate_shape(steps)
    epsilon = np.array([[push.epsilon] for push in pushes])
    decay = np.array([[push.decay] for push in pushes])
    rates = np.array([[push.efolds] for push in pushes]) / (decay * shape.sum())
    row = np.zeros((len(hidden), len(pushes), hidden.shape[2]))
    first, second = np.zeros_like(row), np.zeros_like(row)
    for step in range(steps):
        part = hidden[:, rng.integers(0, hidden.shape[1], batch)]
        gradient = chances(row, part) @ part / batch
        first += (1 - BETAS[0]) * (gradient - first)
        second += (1 - BETAS[1]) * (gradient**2 - second)
        towards = first / (1 - BETAS[0] ** (step + 1))
        size = np.sqrt(second / (1 - BETAS[1] ** (step + 1))) + epsilon
        rate = rates * shape[step]
        row = row * (1 - rate * decay) - rate * towards / size
    return row


def push_of(rows: Array, hidden: Array, batch: int) -> tuple[Array, Array]:
    """Mean and root mean square of the gradient over batches of `batch` contexts drawn with replacement, exactly:
    [seeds, n, width] each.
    """
    chance, contexts = chances(rows, hidden), hidden.shape[1]
    mean = chance @ hidden / contexts
    square = chance**2 @ hidden**2 / contexts
    return mean, np.sqrt(mean**2 + (square - mean**2) / batch)
