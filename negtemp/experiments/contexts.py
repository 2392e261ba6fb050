"""Contexts that need no corpus: what the model itself writes at T = 1, from nothing and from a few built-in beginnings.

Thirty-two sequences are decoded side by side, one token of each per batch. Those that begin with a built-in text read
it token by token first; every position counts as a context. Half as many give a noisier mean probability at beta = +1
(benchmarks/audit). Tokens that end a text are never drawn, so that each context goes on, and neither is what no text
holds: control, unknown and unused tokens.

Contexts can run away: a token that was never trained, once in a context, calls for its like. So a built-in text that
this vocabulary can only spell in single bytes is left out, and the tokens drawn are counted, for whoever finds out
later which of them were never trained. It leaves out what is measured there (`theory.thermal`, `theory.profiles`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ModelError
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.request import Filters
from negtemp.model.engine.sampler import Candidates, Chain, draw_all
from negtemp.model.llama.context import Context
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.theory.temperature import Temperature

SEQUENCES, LENGTH = 32, 64
_MOST_BYTES = 0.25

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
    engine: Engine, *, sequences: int = SEQUENCES, length: int = LENGTH, seed: int = 1,
    drawn: NDArray[np.int64] | None = None,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """Logits after every token of all sequences, `[sequences, vocab]` for each of at most `length` steps.

    A block is good until the next is asked for. `drawn` `[vocab]`, where given, counts the tokens drawn. Raises
    ModelError where every token ends a text, DecodeError.
    """
    model = engine.model
    texts = _spelled(model.vocabulary)
    starts = [
        _start(model.vocabulary, texts[index // 2 % len(texts)] if index % 2 else "") for index in range(sequences)
    ]
    length = min(length, model.trained_context)
    at, filters = Temperature.of(1.0), Filters(_undrawn(model.vocabulary))
    with ExitStack() as stack:
        context = stack.enter_context(Context(model, sequences, sequences * length, engine.threads))
        candidates, vocab = Candidates(model.library.api, model.vocabulary.size), model.vocabulary.size
        chains = [
            stack.enter_context(Chain(model.library, vocab, at, filters, seed + index, candidates, context.threads))
            for index in range(sequences)
        ]
        yield from _steps(context, chains, starts, length, drawn)


def _spelled(vocabulary: Vocabulary) -> list[str]:
    """The built-in texts that this vocabulary does not have to spell in bytes; all of them where none is left."""
    return [text for text in BEGINNINGS if _share_of_bytes(vocabulary, text) <= _MOST_BYTES] or list(BEGINNINGS)


def _share_of_bytes(vocabulary: Vocabulary, text: str) -> float:
    """The share of a text's tokens that are unknown or single bytes that are no character."""
    tokens = vocabulary.encode(text.encode())
    pieces = [b"" if vocabulary.category(i) == "unknown" else vocabulary.piece(i) for i in tokens]
    return sum(not piece or (len(piece) == 1 and piece >= b"\x80") for piece in pieces) / max(len(pieces), 1)


def _undrawn(vocabulary: Vocabulary) -> tuple[int, ...]:
    """What is never drawn. Raises ModelError where every token ends a text."""
    ends = set(vocabulary.end_tokens)
    if len(ends) >= vocabulary.size:
        raise ModelError("every token of this vocabulary ends a text; give a language model")
    out = ends.union(vocabulary.in_categories(("control", "unknown", "unused")))
    return tuple(sorted(out if len(out) < vocabulary.size else ends))


def _start(vocabulary: Vocabulary, text: str) -> list[int]:
    """A text's tokens: BOS alone for an empty one, a line feed where the model has no BOS."""
    return vocabulary.tokenize(text) or vocabulary.tokenize("\n") or [0]


def _steps(
    context: Context, chains: Sequence[Chain], starts: Sequence[Sequence[int]], length: int,
    drawn: NDArray[np.int64] | None,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    tokens = [start[0] for start in starts]
    for position in range(length):
        rows = list(context.step([(token, position, sequence) for sequence, token in enumerate(tokens)]))
        yield np.stack(rows)
        drawing = [sequence for sequence, start in enumerate(starts) if position + 1 >= len(start)]
        read = {sequence: start[position + 1] for sequence, start in enumerate(starts) if position + 1 < len(start)}
        draws = draw_all([chains[i] for i in drawing], [_drawable(rows[i]) for i in drawing], context.threads)
        # where no logit is a number any token will do
        found = dict(zip(drawing, (draw.token_id if draw else 0 for draw in draws), strict=True))
        if drawn is not None:
            for token_id in found.values():
                drawn[token_id] += 1
        tokens = [read[sequence] if sequence in read else found[sequence] for sequence in range(len(starts))]


def _drawable(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits `[vocab]` without NaN or +inf, as broken weights give: such tokens are not drawn."""
    return row if np.isfinite(row.sum()) else np.where(np.isfinite(row), row, np.float32(-np.inf))
