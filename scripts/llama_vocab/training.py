"""Training of one model: AdamW with one decay for every matrix, a warm-up and a cosine, every row once.

What decides where never-seen tokens come to rest is how often their rows have decayed by a factor e: the sum of
learning rate x decay over the steps (`e_folds`). While it trains, it prints where they are (`Rest`).
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tiny_model.network import Network, Shape
from torch import Tensor

from llama_vocab.loss import VocabularyLoss
from llama_vocab.rows import LENGTH

SHAPE = Shape(vocab=32_000, dim=64, layers=3, heads=4, hidden=192, context=LENGTH)


@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the text and not the shape. `steps` batches of `batch` rows."""

    steps: int
    decay: float
    learning_rate: float = 3e-3
    epsilon: float = 1e-8
    batch: int = 4
    warm_up: int = 50
    last_rate: float = 0.1  # of the peak
    clip: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class Rest:
    """Where never-seen tokens are: mean p over contexts (geometric over tokens), its spread as a standard deviation of
    ln p, mean cosine between two of their unembedding rows, root mean square of their input rows.
    """

    probability: float
    spread: float
    cosine: float
    input_rms: float


def learning_rate(step: int, recipe: Recipe) -> float:
    """A linear warm-up to the peak, then half a cosine to `last_rate` of it."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    progress = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    half = 0.5 * (1 + math.cos(math.pi * progress))
    return recipe.learning_rate * (recipe.last_rate + (1 - recipe.last_rate) * half)


def e_folds(recipe: Recipe) -> float:
    """By how many factors of e a row decays that no gradient moves."""
    return recipe.decay * sum(learning_rate(step, recipe) for step in range(recipe.steps))


def make_optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; matrices decay, embedding and unembedding among them, norms do not."""
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), eps=recipe.epsilon, fused=True)


def loss_of(network: Network, rows: Tensor) -> Tensor:
    """Mean cross-entropy of the next token over rows [rows, length + 1], in nats."""
    states = network.states(rows[:, :-1]).flatten(0, 1)
    loss: Tensor = VocabularyLoss.apply(states, network.unembedding.weight, rows[:, 1:].flatten())
    return loss


def train(network: Network, rows: Tensor, recipe: Recipe) -> Iterator[tuple[int, float]]:
    """Trains in place on rows [steps * batch, length + 1]; yields each step with its loss, in nats."""
    optimizer = make_optimizer(network, recipe)
    for step, batch in enumerate(rows.split(recipe.batch)):
        network.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        loss = loss_of(network, batch)
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        yield step, float(loss.item())
    network.eval()


def held_out_loss(network: Network, rows: Tensor) -> float:
    """Mean cross-entropy over held-out rows [rows, length + 1], in nats."""
    network.eval()
    with torch.no_grad():
        return float(loss_of(network, rows).item())


def rest(network: Network, rows: Tensor, never: Tensor) -> Rest:
    """Where the never-seen tokens [tokens] are after contexts of rows [rows, length + 1]."""
    network.eval()
    with torch.no_grad():
        logits = network(rows[:, :-1]).flatten(0, 1)
        mean = (logits - logits.logsumexp(-1, keepdim=True)).exp()[:, never].mean(0).log()
        directions = torch.nn.functional.normalize(network.unembedding.weight[never], dim=1)
        # the mean cosine of all pairs, from the length of the mean direction
        pairs = (len(never) * directions.mean(0).square().sum().item() - 1) / (len(never) - 1)
        inputs = network.embedding.weight[never].square().mean().sqrt().item()
    return Rest(math.exp(mean.mean().item()), mean.std().item(), pairs, inputs)


class Stopwatch:
    """Wall-clock and processor seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.monotonic(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Seconds that passed, and those that this process computed."""
        return time.monotonic() - self._wall, time.process_time() - self._processor
