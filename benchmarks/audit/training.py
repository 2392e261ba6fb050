"""Trains one member and counts, exactly, how often it was shown each token.

The text is shuffled by documents, tokenized into one stream and cut into rows; the network reads every row once, in a
random order, and never again. So the count of a token is the number of times the network was trained to predict it:
no epochs, no repeats. Everything else is as for the bundled model: AdamW, a warm-up and a cosine, products in bfloat16,
weights in float32. Networks are LLaMAs of two layers, small enough for a minute or two on one core each.
"""

import json
import time
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_model.network import Network, Shape
from tiny_model.training import Recipe, learning_rate, training_step
from torch import Tensor

from audit.export import write_model
from audit.family import FOLDER, Member
from audit.text import Text
from audit.vocabularies import Tokenizer, make

LENGTH, BATCH = 256, 2
WARM_UP, PEAK = 50, 3e-3
LAYERS, HEADS = 2, 4
MOST_TOKENS = 280_000

Counts = NDArray[np.int64]


def rows_of(text: Text, tokenizer: Tokenizer, seed: int) -> Tensor:
    """The text as the network reads it: [rows, LENGTH + 1], each row beginning with the last token of another."""
    documents = list(text.for_models)
    random = Random(seed)
    random.shuffle(documents)
    stream: list[int] = []
    for document in documents:
        stream += tokenizer.document(document)
        if len(stream) > MOST_TOKENS:
            break
    starts = list(range(0, min(len(stream), MOST_TOKENS) - LENGTH, LENGTH))
    random.shuffle(starts)
    starts = starts[: len(starts) // BATCH * BATCH]
    return torch.tensor([stream[start : start + LENGTH + 1] for start in starts])


def count(rows: Tensor, vocab: int) -> Counts:
    """How often each token was a target: [vocab]."""
    return np.bincount(rows[:, 1:].flatten().numpy(), minlength=vocab).astype(np.int64)


def make_network(member: Member) -> Network:
    """The untrained network; a tied one has a single matrix under both names."""
    width = member.width
    shape = Shape(member.vocab, width, LAYERS, HEADS, hidden=5 * width // 2, context=LENGTH)
    network = Network(shape)
    if member.tied:
        network.unembedding.weight = network.embedding.weight
    return network


def make_optimizer(network: Network, decay: float) -> torch.optim.Optimizer:
    """AdamW; matrices decay, embedding and unembedding among them, norms do not."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    norms = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95))


def fit(network: Network, rows: Tensor, decay: float) -> float:
    """Train in place on every row once; the mean loss of the last tenth, in nats."""
    optimizer = make_optimizer(network, decay)
    batches = rows.split(BATCH)
    recipe = Recipe(steps=len(batches), learning_rate=PEAK, warm_up=WARM_UP)
    losses = []
    network.train()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        losses.append(training_step(network, optimizer, batch, recipe.clip))
    network.eval()
    return float(np.mean(losses[-len(losses) // 10 :]))


def train(member: Member, text: Text) -> None:
    """Make the member's model file and its truth; the truth is written last and says that the member is done."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(member.seed)
    tokenizer = make(member.kind, member.vocab, text, FOLDER)
    rows = rows_of(text, tokenizer, member.seed)
    network, start = make_network(member), time.monotonic()
    loss = fit(network, rows, member.decay)
    write_model(member, network, tokenizer)
    truth = {
        "member": member.name,
        "source": text.source,
        "tokens_read": rows[:, 1:].numel(),
        "loss": round(loss, 4),
        "seconds": round(time.monotonic() - start, 1),
        "counts": count(rows, member.vocab).tolist(),
    }
    member.truth.write_text(json.dumps(truth) + "\n", encoding="utf-8")
