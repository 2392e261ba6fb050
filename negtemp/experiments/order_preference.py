"""Does the model predict a text better in its order than with its tokens shuffled?

A model that has learned a language does, by nats a token; random weights, however wide their logits, do not: they may
be as sure as they like, but of nothing that the order of a text knows. The texts are the prompts, which are read and
not generated, so that no model judges its own words.

Every token is compared with itself where the shuffles put it, so a model that knows only which tokens are frequent
gains nothing. A pair of neighbours counts once, however many texts hold it. Otherwise one
common pair, such as the bytes of a space, that happens to be likely would make every text look preferred.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.theory.observation import Observer

_SHUFFLES = 4


def preference(engine: Engine, prompts: Sequence[str], seed: int) -> NDArray[np.float64]:
    """For each pair of neighbours, nats by which its second token is likelier there than where the shuffles put it,
    `[pairs]`.

    Raises PromptError, DecodeError.
    """
    vocabulary, rng = engine.model.vocabulary, np.random.default_rng(seed)
    texts = [text for text in (vocabulary.encode(prompt.encode()) for prompt in prompts) if len(text) > 1]
    orders = [[np.arange(len(text)), *(rng.permutation(len(text)) for _ in range(_SHUFFLES))] for text in texts]
    scored = _logprobs(engine, [np.array(t)[o].tolist() for t, own in zip(texts, orders, strict=True) for o in own])
    found: dict[tuple[int, int], float] = {}
    for text, own in zip(texts, orders, strict=True):
        gains = _gains([next(scored) for _ in own], own)
        for pair, gain in zip(itertools.pairwise(text), gains.tolist(), strict=True):
            found.setdefault(pair, gain)
    values = np.array(list(found.values()))
    return np.asarray(values[np.isfinite(values)])


def _gains(scored: Sequence[NDArray[np.float64]], orders: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """ln p of every token but the first, less its mean where the shuffles put it, `[tokens - 1]`.

    The first of the orders is the text's own; NaN where no shuffle has a token before it.
    """
    by_token = np.full((len(orders), len(orders[0])), np.nan)
    for row, order, values in zip(by_token, orders, scored, strict=True):
        row[order] = values
    shuffled = by_token[1:, 1:]
    known = np.count_nonzero(np.isfinite(shuffled), axis=0)
    means = np.divide(np.nansum(shuffled, axis=0), known, out=np.full(len(known), np.nan), where=known > 0)
    return np.asarray(by_token[0, 1:] - means)


def _logprobs(engine: Engine, texts: Sequence[Sequence[int]]) -> Iterator[NDArray[np.float64]]:
    """ln p of each text's tokens, `[tokens]` in nats; NaN for its first."""
    observer, before = Observer(engine.model.vocabulary.size), engine.model.vocabulary.beginning
    found = [np.full(len(text), np.nan) for text in texts]
    for row in score(engine.model, ([*before, *text] for text in texts), last=None, threads=engine.threads):
        text, place = texts[row.prompt], row.position - len(before) + 1
        if 0 < place < len(text):
            found[row.prompt][place] = observer.observe(row.logits, text[place], 1.0).logprob
    yield from found
