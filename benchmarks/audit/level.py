"""Where the never-seen tokens of a trained network lie, and whether their rows are in balance there.

    p              mean probability of a never-seen token at T = 1 over contexts of the training text; their median
    typical        the same with the geometric mean over contexts, which no rare context rules
    spread         standard deviation of ln p over those tokens, nats
    cosine         mean cosine of their rows of the unembedding with the mean of those rows
    row, hidden    root mean square of a coordinate of such a row, and of a last hidden state h
    coherence      length of the mean h over the mean length of h

The balance. A never-target row u feels only the push g = mean over a batch of p h, clipped with all other gradients.
Under AdamW, with m and v the running means of g and g^2, decay pulls back as much as the push drives on where

    decay x u = - < m / (sqrt(v) + epsilon) >

so that no |u_j| exceeds 1/decay. The training's last batches are replayed with the weights held still: `push` is the
root mean square of g_j, to compare with epsilon; `drive` that of the right side (1 where every step has constant size);
`balance` the slope of the left side on the right, through the origin, over all coordinates of all never-seen rows (1 in
balance), and `agreement` the correlation of the two.

Source: Loshchilov & Hutter 2019 for the update; what follows from the balance is in docs/level.md.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_model.network import Network
from tiny_model.training import loss_of
from torch import Tensor

Mask = NDArray[np.bool_]

ROWS, REPLAYED, SETTLING = 64, 224, 32
BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class Steps:
    """What the training's steps were made of: rows a batch, the norm gradients are clipped to, AdamW's two."""

    batch: int
    clip: float
    epsilon: float
    decay: float


@dataclass(frozen=True)
class Level:
    """See the module; `clipped` is what clipping leaves of a gradient on average."""

    tokens: int
    p: float
    typical: float
    spread: float
    cosine: float
    row: float
    hidden: float
    coherence: float
    push: float
    drive: float
    clipped: float
    balance: float
    agreement: float


@dataclass(frozen=True)
class Replay:
    """What AdamW makes of a push: mean step at rate 1 and mean square of g, `[n, width]`; the share clipping left."""

    drive: Tensor
    square: Tensor
    clipped: float


def measure(network: Network, shown: Tensor, never: Mask, steps: Steps) -> Level:
    """The level of the tokens `never`, `[vocab]`, over the last rows `shown`, `[rows, length + 1]`."""
    which = torch.from_numpy(np.flatnonzero(never))
    log_p, hidden = over_contexts(network, shown[-ROWS:], which)
    u = network.unembedding.weight.detach()[which].double()
    replay = replayed(network, shown[-REPLAYED * steps.batch :], which, steps)
    pull, chance = steps.decay * u, log_p.exp().mean(0)
    direction = u.mean(0) / u.mean(0).norm()
    return Level(
        tokens=len(which),
        p=float(chance.median()),
        typical=float(log_p.mean(0).median().exp()),
        spread=float(chance.log().std()),
        cosine=float((u @ direction / u.norm(dim=1)).mean()),
        row=_size(u),
        hidden=_size(hidden),
        coherence=float(hidden.mean(0).norm() / hidden.norm(dim=1).mean()),
        push=float(replay.square.mean().sqrt()),
        drive=_size(replay.drive),
        clipped=replay.clipped,
        balance=float((pull * -replay.drive).sum() / (replay.drive**2).sum()),
        agreement=float(torch.corrcoef(torch.stack([pull.flatten(), -replay.drive.flatten()]))[0, 1]),
    )


def _size(values: Tensor) -> float:
    return float(values.pow(2).mean().sqrt())


def over_contexts(network: Network, shown: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """ln p of each token in each context, `[contexts, n]`, and the last hidden states, `[contexts, width]`."""
    network.eval()
    kept: list[Tensor] = []
    hook = network.norm.register_forward_hook(lambda *given: kept.append(given[-1].double()))
    with torch.no_grad():
        log_p = [network(row[None, :-1]).double().log_softmax(-1)[0, :, which] for row in shown]
    hook.remove()
    return torch.cat(log_p), torch.cat(kept, 1)[0]


def replayed(network: Network, shown: Tensor, which: Tensor, steps: Steps) -> Replay:
    """AdamW's moments of these rows' gradients over the batches, weights held still; the first few only warm up."""
    shape = (len(which), network.shape.dim)
    first, second, drive, square = (torch.zeros(shape, dtype=torch.float64) for _ in range(4))
    left, counted = [], 0
    network.train()
    for number, batch in enumerate(shown.split(steps.batch), 1):
        gradient, share = clipped_gradient(network, batch, which, steps.clip)
        first.lerp_(gradient, 1 - BETAS[0])
        second.lerp_(gradient**2, 1 - BETAS[1])
        left.append(share)
        if number > SETTLING:
            counted += 1
            square += gradient**2
            size = (second / (1 - BETAS[1] ** number)).sqrt() + steps.epsilon
            drive += first / (1 - BETAS[0] ** number) / size
    network.eval()
    return Replay(drive / counted, square / counted, float(np.mean(left)))


def clipped_gradient(network: Network, batch: Tensor, which: Tensor, clip: float) -> tuple[Tensor, float]:
    """The gradient of these rows of the unembedding, `[n, width]`, and the share of it that clipping left."""
    network.zero_grad()
    loss_of(network, batch).backward()
    norm = float(torch.nn.utils.clip_grad_norm_(network.parameters(), clip))
    return network.unembedding.weight.grad[which].double(), min(1.0, clip / norm)
