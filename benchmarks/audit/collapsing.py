"""Trains a member of the second branch, and counts what it was shown.

AdamW as PyTorch has it: update = rate x m / (sqrt(v) + epsilon) with betas 0.9 and 0.95, decay decoupled, loss the mean
over a batch, gradients clipped to a norm of 1. SGD has momentum 0.9 and PyTorch's coupled decay; Adafactor is PyTorch's
(Shazeer & Stern 2018), with decoupled decay. Embedding and unembedding have a rate of their own, such that rate x decay
sums to the e-folds asked for; all else is trained alike in every member. All in float32: in bfloat16 a logit of -18 has
steps of 0.06 nats. A tuned member starts from its parent's weights with a new optimiser.

Beside the counts the truth holds, for every token, the e-folds of decay since it was last a target: a token that was
seen once, early, has been forgotten and lies with the never-seen ones, whatever its count.
"""

import json
import math
import time
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_model.network import Network, Shape
from tiny_model.training import Recipe, learning_rate, training_step
from torch import Tensor

from audit.collapsed import PADDING, UNUSED, Collapsed
from audit.export import write_model
from audit.level import Steps, measure
from audit.streams import Streams, rows, streams
from audit.training import Counts, count
from audit.vocabularies import unused_names

Array = NDArray[np.float64]

LENGTH, BATCH = 64, 2
WARM_UP, CLIP = 50, 1.0
TUNING_SHARE, TUNING_TOKENS = 0.1, 64_000
LAYERS, HEADS = 1, 4


BLOCK_RATES = {"adamw": 3e-3, "sgd": 0.1, "adafactor": 2e-2}
BLOCK_DECAYS = {"adamw": 0.1, "sgd": 1e-4, "adafactor": 0.1}


def make_network(member: Collapsed) -> Network:
    """The untrained network, without dropout; a tied one has a single matrix under both names."""
    width = member.width
    hidden = 5 * width // 2 // 32 * 32
    network = Network(Shape(member.vocab, width, LAYERS, HEADS, hidden, context=2 * LENGTH))
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if member.tied:
        network.unembedding.weight = network.embedding.weight
    return network


def peak_rate(member: Collapsed, steps: int) -> float:
    """The peak rate of embedding and unembedding that gives the e-folds asked for; for a tuned member a tenth of its
    parent's.
    """
    if member.tuned:
        return TUNING_SHARE * peak_rate(member.parent, member.tokens // LENGTH // BATCH)
    total = sum(learning_rate(step, _shape(steps)) for step in range(steps))
    return member.efolds / (decay_per_rate(member) * total)


def _shape(steps: int) -> Recipe:
    return Recipe(steps=steps, learning_rate=1.0, warm_up=WARM_UP)


def make_optimizer(network: Network, member: Collapsed, peak: float) -> torch.optim.Optimizer:
    """Matrices decay, norms do not; each group knows its peak rate, `peak` that of embedding and unembedding."""
    inner_rate, inner_decay = BLOCK_RATES[member.method], BLOCK_DECAYS[member.method]
    if member.tuned:
        inner_rate *= TUNING_SHARE
    outer = list({id(p): p for p in (network.embedding.weight, network.unembedding.weight)}.values())
    known = {id(p) for p in outer}
    inner = [p for p in network.parameters() if p.ndim > 1 and id(p) not in known]
    norms = [p for p in network.parameters() if p.ndim == 1]
    groups = [
        {"params": outer, "peak": peak, "weight_decay": member.decay},
        {"params": inner, "peak": inner_rate, "weight_decay": inner_decay},
        {"params": norms, "peak": inner_rate, "weight_decay": 0.0},
    ]
    match member.method:
        case "adamw":
            return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=member.epsilon, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, momentum=0.9)
        case "adafactor":
            return torch.optim.Adafactor(groups)


def fit(network: Network, batches: tuple[Tensor, ...], optimizer: torch.optim.Optimizer) -> NDArray[np.float64]:
    """Train in place on every batch once; loss and rate of the unembedding at each step, [steps, 2]."""
    shape = _shape(len(batches))
    course = np.zeros((len(batches), 2))
    network.train()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate(step, shape)
        loss = training_step(network, optimizer, batch, CLIP, autocast=False)
        course[step] = loss, optimizer.param_groups[0]["lr"]
    network.eval()
    return course


def decay_per_rate(member: Collapsed) -> float:
    """By how many e-folds a row shrinks for a unit of summed learning rate; momentum drives coupled decay, too."""
    return member.decay * (10.0 if member.method == "sgd" else 1.0)


def since_target(batches: tuple[Tensor, ...], shrinkage: NDArray[np.float64], vocab: int) -> NDArray[np.float64]:
    """E-folds since each token was last a target, [vocab], from those of every step, [steps]; inf: never.

    >>> since_target((torch.tensor([[1, 2]]), torch.tensor([[1, 0]])), np.array([1.0, 0.5]), 4).tolist()
    [0.0, inf, 0.5, inf]
    """
    left = np.concatenate([np.cumsum(shrinkage[::-1])[::-1][1:], [0.0]])
    since = np.full(vocab, math.inf)
    for remaining, batch in zip(left, batches, strict=True):
        since[np.unique(batch[:, 1:].numpy())] = remaining
    return since


def train(member: Collapsed) -> None:
    """Make the member's model file and its truth; the truth is written last and says that the member is done."""
    torch.manual_seed(member.seed)
    found, network, start = tokens_of(member), make_network(member), time.monotonic()
    if member.tuned:
        network.load_state_dict(torch.load(weights_file(member.parent)))
    batches = batches_of(member, found)
    course = fit(network, batches, make_optimizer(network, member, peak_rate(member, len(batches))))
    torch.save(network.state_dict(), weights_file(member))
    write_model(member, network, found.tokenizer, unused_names(UNUSED, PADDING, member.vocab))
    shown, shrinkage = torch.cat(batches), course[:, 1] * decay_per_rate(member)
    counts, since = _with_parents(
        member, count(shown, member.vocab), since_target(batches, shrinkage, member.vocab), float(shrinkage.sum())
    )
    level = measure(network, shown, counts == 0, Steps(BATCH, CLIP, member.epsilon, member.decay))
    truth = {
        "member": member.name,
        **{
            field.name: getattr(member, field.name)
            for field in fields(member)
            if field.name not in ("efolds", "tokens")
        },
        "unused": UNUSED,
        "padding": PADDING,
        "tokens_read": shown[:, 1:].numel(),
        "steps": len(course),
        "efolds": round(float(shrinkage.sum()), 3),
        "loss": round(float(course[-len(course) // 10 :, 0].mean()), 4),
        "seconds": round(time.monotonic() - start, 1),
        "level": asdict(level),
        "counts": counts.tolist(),
        "since": [None if math.isinf(value) else round(float(value), 4) for value in since],
    }
    member.truth.write_text(json.dumps(truth) + "\n", encoding="utf-8")


def _with_parents(member: Collapsed, counts: Counts, since: Array, shrunk: float) -> tuple[Counts, Array]:
    """Counts and e-folds since, `[vocab]`, with what a tuned member's parent was shown before."""
    if not member.tuned:
        return counts, since
    before = json.loads(member.parent.truth.read_text(encoding="utf-8"))
    earlier = np.array([math.inf if value is None else value for value in before["since"]])
    return counts + np.array(before["counts"]), np.minimum(since, earlier + shrunk)


def tokens_of(member: Collapsed) -> Streams:
    """The text under the member's tokenizer."""
    return streams(member.kind, member.vocab - UNUSED - PADDING, member.folder)


def weights_file(member: Collapsed) -> Path:
    """The weights to go on from."""
    return member.folder / f"{member.name}.pt"


def batches_of(member: Collapsed, found: Streams) -> tuple[Tensor, ...]:
    """What the member is shown, in order: [BATCH, LENGTH + 1] each."""
    documents, most = (found.tuning, TUNING_TOKENS) if member.tuned else (found.training, member.tokens)
    table = rows(documents, found.tokenizer.beginning, LENGTH, most, member.seed)
    return tuple(torch.from_numpy(table[: len(table) // BATCH * BATCH]).split(BATCH))
