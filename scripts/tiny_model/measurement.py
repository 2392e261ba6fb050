"""What the finished file does: its loss, and which tokens it puts first and last.

Everything is measured on the weights as the file holds them. "Never seen" means a count of 0 in the
training text. Percentiles are of the distance of a token's embedding from the mean embedding: 0 is
the nearest token, 100 the farthest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from .network import Network
from .training import Tokens, held_out_loss

PROMPTS = (
    "Temperature is a concept",
    "The history of science",
    "Once upon a time",
    "The capital of France is",
    "In the beginning",
    "A language model",
)
DEMO_LENGTH = 40


@dataclass(frozen=True)
class Extremes:
    """The most and the least likely token after each context: two arrays [contexts]."""

    likeliest: Tokens
    unlikeliest: Tokens


@dataclass(frozen=True)
class Path:
    """One prompt and what follows it greedily and antigreedily, as token ids."""

    prompt: str
    greedy: list[int]
    antigreedy: list[int]


@dataclass(frozen=True)
class Figures:
    """The figures of the card."""

    held_out_loss: float
    held_out_tokens: int
    never_seen: int
    contexts: int
    never_seen_below_zero: float
    never_seen_along_paths: float
    distinct_below_zero: int
    percentile_below_zero: float
    percentile_above_zero: float


def extremes(network: Network, rows: Tensor) -> Extremes:
    """Argmax and argmin of the logits at every position of rows [rows, length + 1]."""
    high, low = [], []
    for part in rows[:, :-1].split(16):
        with torch.no_grad():
            logits = network(part).flatten(0, 1)
        high.append(logits.argmax(-1))
        low.append(logits.argmin(-1))
    return Extremes(torch.cat(high).numpy(), torch.cat(low).numpy())


def continuation(network: Network, prompt: Sequence[int], length: int, sign: int) -> list[int]:
    """At most `length` tokens after a prompt: greedy for sign 1, antigreedy for -1."""
    tokens = list(prompt)
    while len(tokens) < len(prompt) + length:
        with torch.no_grad():
            logits = network(torch.tensor([tokens]))[0, -1]
        tokens.append(int((sign * logits).argmax()))
    return tokens[len(prompt) :]


def path(network: Network, tokenizer: SentencePieceProcessor, prompt: str, length: int = DEMO_LENGTH) -> Path:
    """Both continuations of a prompt, `<s>` first."""
    tokens = [tokenizer.bos_id(), *tokenizer.encode(prompt)]
    return Path(prompt, *(continuation(network, tokens, length, sign) for sign in (1, -1)))


def centroid_percentiles(network: Network) -> NDArray[np.float64]:
    """Percentile of each token's distance from the mean embedding: [vocab]."""
    embedding = network.embedding.weight.detach().double().numpy()
    distances = np.linalg.norm(embedding - embedding.mean(axis=0), axis=1)
    ranks: Tokens = distances.argsort().argsort()
    return 100.0 * ranks / (len(ranks) - 1)


def measure(network: Network, counts: Tokens, held_out: Tensor, paths: Sequence[Path]) -> Figures:
    """All figures of a finished network."""
    loss = held_out_loss(network, held_out)
    found = extremes(network.eval(), held_out)
    percentiles = centroid_percentiles(network)
    along = np.concatenate([path.antigreedy for path in paths])
    return Figures(
        held_out_loss=loss,
        held_out_tokens=held_out[:, 1:].numel(),
        never_seen=int((counts == 0).sum()),
        contexts=len(found.unlikeliest),
        never_seen_below_zero=float((counts[found.unlikeliest] == 0).mean()),
        never_seen_along_paths=float((counts[along] == 0).mean()),
        distinct_below_zero=len(np.unique(found.unlikeliest)),
        percentile_below_zero=float(np.median(percentiles[found.unlikeliest])),
        percentile_above_zero=float(np.median(percentiles[found.likeliest])),
    )
