"""Contexts that need no corpus: what the model itself writes at T = 1, from nothing and from a few built-in beginnings.

Thirty-two sequences are decoded side by side, one token of each per batch. Those that begin with a built-in text read
it token by token first; every position counts as a context. Half as many give a noisier mean probability at beta = +1
(benchmarks/audit). Tokens that end a text are never drawn, so that each context goes on. It leaves out what is measured
there (`theory.thermal`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ModelError
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.request import Filters
from negtemp.model.engine.sampler import Chain
from negtemp.model.llama.context import Context
from negtemp.theory.temperature import Temperature

SEQUENCES, LENGTH = 32, 64

# half of the sequences begin with nothing but what the tokenizer adds
BEGINNINGS = (
    "The kettle had been on the stove for an hour before anyone",
    "Dear Ms Okafor,\n\nthank you for your letter of",
    "def mean(values):\n    total = 0\n    for",
    "Ingredients: 200 g flour, 3 eggs, 1/2 l milk",
    "- Where were you last night?\n- At my sister's.",
    "Der Zug nach Norden hatte wie immer Verspätung, und",
    "Вечером мы вышли к реке, и вода была",
    "昨天下午我们在图书馆里",
)


def stream(
    engine: Engine, *, sequences: int = SEQUENCES, length: int = LENGTH, seed: int = 1
) -> Iterator[NDArray[np.float32]]:
    """Logits after every token of all sequences, `[sequences, vocab]` for each of at most `length` steps.

    A block is good until the next is asked for. Raises ModelError where every token ends a text, DecodeError.
    """
    model = engine.model
    starts = [_start(engine, index) for index in range(sequences)]
    length = min(length, model.trained_context)
    at, filters = Temperature.of(1.0), Filters(tuple(sorted(model.vocabulary.end_tokens)))
    if len(filters.mask) >= model.vocabulary.size:
        raise ModelError("every token of this vocabulary ends a text; give a language model")
    with ExitStack() as stack:
        context = stack.enter_context(Context(model, sequences, sequences * length, engine.threads))
        chains = [
            stack.enter_context(Chain(model.library, model.vocabulary.size, at, filters, seed + index))
            for index in range(sequences)
        ]
        yield from _steps(context, chains, starts, length)


def _start(engine: Engine, index: int) -> list[int]:
    """What sequence `index` begins with: BOS alone for the even ones, a line feed where the model has no BOS."""
    vocabulary = engine.model.vocabulary
    text = BEGINNINGS[index // 2 % len(BEGINNINGS)] if index % 2 else ""
    return vocabulary.tokenize(text) or vocabulary.tokenize("\n") or [0]


def _steps(
    context: Context, chains: Sequence[Chain], starts: Sequence[Sequence[int]], length: int
) -> Iterator[NDArray[np.float32]]:
    tokens = [start[0] for start in starts]
    for position in range(length):
        rows = list(context.step([(token, position, sequence) for sequence, token in enumerate(tokens)]))
        yield np.stack(rows)
        tokens = [
            start[position + 1] if position + 1 < len(start) else chain.draw(_drawable(row)).token_id
            for start, chain, row in zip(starts, chains, rows, strict=True)
        ]


def _drawable(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits `[vocab]` without NaN or +inf, as broken weights give: such tokens are not drawn."""
    return row if np.isfinite(row.sum()) else np.where(np.isfinite(row), row, np.float32(-np.inf))
