"""Training: shuffled documents in one stream of tokens, AdamW, a warm-up and a cosine.

The token counts that ship with the model are counted here, over the text once; the epochs and the
repeats of our own text do not enter them. Matrix products run in bfloat16, weights and optimiser
stay in float32.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from torch.nn import functional as F

from .corpus import Corpus, Document
from .network import Network

Tokens = NDArray[np.int64]

UNEMBEDDING_EPSILON = 1e-15


@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the text and not the shape."""

    steps: int = 3000
    batch: int = 4
    length: int = 512
    learning_rate: float = 3e-3
    embedding_boost: float = 5.0
    warm_up: int = 100
    weight_decay: float = 0.1
    unembedding_decay: float = 0.5
    clip: float = 1.0
    own_repeats: int = 8
    own_paragraphs_a_document: int = 5
    rare: int = 20
    seed: int = 1
    hold_unembedding: bool = False


# Our own text again until it is known by heart. The unembedding stays as it is: what is wrong everywhere was pushed
# below all else by the first stage, and what is learned by heart would push other tokens below that.
SECOND_STAGE = Recipe(
    steps=500, learning_rate=1.5e-3, embedding_boost=1.0, warm_up=30, own_repeats=60, seed=2, hold_unembedding=True
)


def encode_document(tokenizer: SentencePieceProcessor, paragraphs: Sequence[str]) -> list[int]:
    """`<s>`, the paragraphs with a line feed between them, `</s>`; tokenized as a whole."""
    return [tokenizer.bos_id(), *tokenizer.encode("\n".join(paragraphs)), tokenizer.eos_id()]


def own_documents(own: Sequence[str], per_document: int, random: Random) -> list[Document]:
    """Our own paragraphs in a random order, a few to a document."""
    order = random.sample(own, len(own))
    starts = range(0, len(order), per_document)
    return [Document("own text", tuple(order[start : start + per_document])) for start in starts]


def epoch(corpus: Corpus, recipe: Recipe, random: Random) -> list[Document]:
    """The documentation once and our own text `own_repeats` times, all shuffled."""
    documents = list(corpus.training)
    for _ in range(recipe.own_repeats):
        documents += own_documents(corpus.own, recipe.own_paragraphs_a_document, random)
    random.shuffle(documents)
    return documents


def windows(corpus: Corpus, recipe: Recipe, tokenizer: SentencePieceProcessor) -> Iterator[list[int]]:
    """Windows of `length` + 1 tokens, each beginning where the last ended, for ever."""
    random = Random(recipe.seed)
    stream: list[int] = []
    while True:
        for document in epoch(corpus, recipe, random):
            stream += encode_document(tokenizer, document.paragraphs)
            while len(stream) > recipe.length:
                yield stream[: recipe.length + 1]
                del stream[: recipe.length]


def batches(corpus: Corpus, recipe: Recipe, tokenizer: SentencePieceProcessor) -> Iterator[Tensor]:
    """Batches [batch, length + 1], drawn from a pool so that neighbours in the text part."""
    random = Random(recipe.seed)
    source = windows(corpus, recipe, tokenizer)
    pool = [next(source) for _ in range(16 * recipe.batch)]
    while True:
        random.shuffle(pool)
        yield torch.tensor(pool[-recipe.batch :])
        pool[-recipe.batch :] = [next(source) for _ in range(recipe.batch)]


def count_tokens(corpus: Corpus, tokenizer: SentencePieceProcessor, vocab: int) -> Tokens:
    """How often each token occurs in the training text, taken once: [vocab]."""
    own = [Document("own text", (paragraph,)) for paragraph in corpus.own]
    documents = (encode_document(tokenizer, d.paragraphs) for d in (*corpus.training, *own))
    # Inside a document our paragraphs follow a line feed; their first word is then cut otherwise.
    inner = [tokenizer.encode("\n" + paragraph)[1:] for paragraph in corpus.own]
    counts = sum(np.bincount(ids, minlength=vocab) for ids in (*documents, *inner))
    return np.asarray(counts, dtype=np.int64)


def without_rare_tokens(corpus: Corpus, tokenizer: SentencePieceProcessor, rare: int) -> Corpus:
    """The corpus less the training paragraphs that hold a token which occurs at most `rare` times there.

    A token is then either well learned or never seen. Taking paragraphs out makes other tokens rare, so this is
    repeated until nothing changes; the tokens of our own text stay.
    """
    kept = {text: frozenset(tokenizer.encode(text)) for document in corpus.training for text in document.paragraphs}
    own = {token for text in corpus.own for token in tokenizer.encode(text)}
    while True:
        counts = Counter(token for text in kept for token in tokenizer.encode(text))
        scarce = {token for token, count in counts.items() if count <= rare} - own
        left = {text: tokens for text, tokens in kept.items() if not tokens & scarce}
        if len(left) == len(kept):
            break
        kept = left
    documents = (Document(d.name, tuple(t for t in d.paragraphs if t in kept)) for d in corpus.training)
    return replace(corpus, training=tuple(d for d in documents if d.paragraphs))


def learning_rate(step: int, recipe: Recipe) -> float:
    """A linear warm-up to the peak, then half a cosine to a fiftieth of it."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    progress = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def make_optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW. Matrices decay, norms do not; the embedding learns faster but decays at the same pace.

    An embedding that is never read only decays: the faster the others grow, the nearer to the
    centre it is left. An unembedding that is never right is pushed down by gradients as small as its
    probability; the epsilon must be smaller still, or the push ends at p = 1e-8.
    """
    boost = recipe.embedding_boost
    embedding = network.embedding.weight
    unembedding = network.unembedding.weight
    matrices = [p for p in network.parameters() if p.ndim > 1 and p is not embedding and p is not unembedding]
    norms = [p for p in network.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "boost": 1.0, "weight_decay": recipe.weight_decay},
        {"params": norms, "boost": 1.0, "weight_decay": 0.0},
        {"params": [unembedding], "boost": 1.0, "weight_decay": recipe.unembedding_decay, "eps": UNEMBEDDING_EPSILON},
        {"params": [embedding], "boost": boost, "weight_decay": recipe.weight_decay / boost},
    ]
    if recipe.hold_unembedding:
        del groups[2]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95))


def loss_of(network: Network, batch: Tensor) -> Tensor:
    """Mean cross-entropy of the next token over a batch [batch, length + 1], in nats."""
    logits = network(batch[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())


def held_out_loss(network: Network, held_out: Tensor) -> float:
    """Mean cross-entropy over the held-out rows [rows, length + 1], in nats."""
    network.eval()
    with torch.no_grad():
        losses = [loss_of(network, part).item() * len(part) for part in held_out.split(16)]
    network.train()
    return float(sum(losses) / len(held_out))


def training_step(
    network: Network, optimizer: torch.optim.Optimizer, batch: Tensor, clip: float, autocast: bool = True
) -> float:
    """One step down the loss of a batch [batch, length + 1], by `autocast` with products in bfloat16; that loss, in
    nats.
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = loss_of(network, batch)
    network.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    return float(loss.item())


def train(network: Network, corpus: Corpus, tokenizer: SentencePieceProcessor, recipe: Recipe) -> float:
    """Trains in place; returns the seconds it took."""
    held_out = held_out_batch(corpus, tokenizer, recipe.length)
    start = time.monotonic()
    optimizer = make_optimizer(network, recipe)
    network.train()
    for step, batch in zip(range(recipe.steps), batches(corpus, recipe, tokenizer), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = group["boost"] * learning_rate(step, recipe)
        loss = training_step(network, optimizer, batch, recipe.clip)
        if step % 100 == 0:
            print(
                f"step {step} loss {loss:.3f} after {time.monotonic() - start:.0f} s",
                flush=True,
            )
        if step % 800 == 799:
            print(f"step {step} held-out loss {held_out_loss(network, held_out):.3f}", flush=True)
    network.eval()
    return time.monotonic() - start


def held_out_batch(corpus: Corpus, tokenizer: SentencePieceProcessor, length: int) -> Tensor:
    """The held-out documents as one stream, cut into rows: [rows, length + 1]."""
    stream = [i for d in corpus.held_out for i in encode_document(tokenizer, d.paragraphs)]
    rows = [stream[at : at + length + 1] for at in range(0, len(stream) - length, length)]
    return torch.tensor(rows)
