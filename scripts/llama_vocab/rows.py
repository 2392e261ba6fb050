"""Rows of token ids that a run trains on, and how often it was shown each token.

Three rows in four are text: `<s>`, a text, `</s>`, the next text and so on, cut into rows of equal length. Every fourth
is an echo: `<s>` and a snippet of that text over and over. From echoes a small model learns to say again what it has
just read, without which asking it for a token tells nothing.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from random import Random

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

BOS, EOS = 1, 2  # of LLaMA's vocabulary
LENGTH = 256
ECHO_ONE_IN = 4
LONGEST_SNIPPET = 64


def stream(texts: Sequence[str], encode: Callable[[str], list[int]]) -> list[int]:
    """`<s>`, the ids of a text, `</s>`, for every text."""
    return [token for text in texts for token in (BOS, *encode(text), EOS)]


def cut(ids: Sequence[int]) -> Ids:
    """Rows [rows, LENGTH + 1] of a stream; each begins with the last token of the one before."""
    starts = range(0, len(ids) - LENGTH, LENGTH)
    return np.array([ids[start : start + LENGTH + 1] for start in starts], dtype=np.int64).reshape(-1, LENGTH + 1)


def echo(ids: Sequence[int], random: Random) -> list[int]:
    """A row of `<s>` and one snippet of the stream again and again; its length is drawn evenly on a log scale."""
    length = round(math.exp(random.uniform(0, math.log(LONGEST_SNIPPET))))
    start = random.randrange(len(ids) - length)
    return [BOS, *islice(cycle(ids[start : start + length]), LENGTH)]


def rows(ids: Sequence[int], count: int, seed: int) -> Ids:
    """`count` rows [count, LENGTH + 1]: shuffled rows of text, echoes between them, the text again where it ends."""
    random, text = Random(seed), cut(ids)
    order = _shuffled_for_ever(len(text), random)
    chosen = (echo(ids, random) if i % ECHO_ONE_IN == 0 else text[next(order)] for i in range(count))
    return np.array(list(chosen), dtype=np.int64)


def _shuffled_for_ever(count: int, random: Random) -> Iterator[int]:
    while True:
        yield from random.sample(range(count), count)


def count(rows: Ids, vocab: int) -> Ids:
    """How often each token was a target: [vocab]."""
    return np.bincount(rows[:, 1:].ravel(), minlength=vocab)
