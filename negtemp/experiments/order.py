"""Does the model predict a text better in its order than with its tokens shuffled?

A model that has learned a language does, by nats a token; random weights, however wide their logits, do not: they may
be as sure as they like, but of nothing that the order of a text knows. The texts are the prompts, which are read and
not generated, so that no model judges its own words.

It leaves out texts of fewer than four tokens, which have hardly an order.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from negtemp.model.engine import Engine
from negtemp.model.scoring import score
from negtemp.theory.observation import Observer

_SHUFFLES = 4
_FEWEST = 4


def preference(engine: Engine, prompts: Sequence[str], seed: int) -> NDArray[np.float64]:
    """For each text of enough tokens, nats a token by which its order is more likely than its shuffles, `[texts]`.

    Raises PromptError, DecodeError.
    """
    vocabulary, rng = engine.model.vocabulary, np.random.default_rng(seed)
    before = vocabulary.beginning
    texts = [vocabulary.encode(prompt.encode()) for prompt in prompts]
    versions = [
        tuple(before) + tuple(version)
        for text in texts
        if len(text) >= _FEWEST
        for version in (text, *(rng.permutation(text).tolist() for _ in range(_SHUFFLES)))
    ]
    means = np.array(list(_means(engine, versions))).reshape(-1, 1 + _SHUFFLES)
    return np.asarray(means[:, 0] - means[:, 1:].mean(axis=1))


def _means(engine: Engine, texts: Sequence[tuple[int, ...]]) -> Iterator[float]:
    """The mean log-probability of each text's tokens after its first, in nats."""
    observer, sums = Observer(engine.model.vocabulary.size), np.zeros(len(texts))
    for row in score(engine.model, texts, last=None, threads=engine.threads):
        text = texts[row.prompt]
        if row.position + 1 < len(text):
            sums[row.prompt] += observer.observe(row.logits, text[row.position + 1], 1.0).logprob
    yield from (total / (len(text) - 1) for total, text in zip(sums, texts, strict=True))
