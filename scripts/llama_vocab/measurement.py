"""What comes out of a model below zero, against how often it was shown each token.

Tokens are grouped by what is known of them (`groups`), and of each group it is measured how many of its tokens came out
at T=-0.001, how near they lie to the centroid of the input embedding, how near to the bottom their logits are, and
whether the model says them when it is asked. It leaves out the article's other claims (`negtemp reproduce`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llama_vocab.rows import Ids
from negtemp import LoadedModel
from negtemp.experiments import known_tokens
from negtemp.experiments.emitted_tokens import PROMPTS
from negtemp.model.engine.prompt_logits import score
from negtemp.records import Completion, TokenGeometry, Trial
from negtemp.theory.boltzmann import entropy, probabilities
from negtemp.theory.thermodynamics import curves

ABOVE, BELOW = 0.001, -0.001
PLATEAU_BETAS = tuple(-np.geomspace(1, 300, 40))
SEEN_WELL, SEEN_OFTEN = 20, 200
SAMPLE = 100

Percentiles = NDArray[np.float64]


@dataclass(frozen=True)
class Emitted:
    """How often each token came out at one temperature: [vocab], and how many in all."""

    counts: Ids

    @property
    def total(self) -> int:
        """Tokens emitted."""
        return int(self.counts.sum())

    def share(self, members: NDArray[np.bool_]) -> float:
        """The share of what came out that is of a set [vocab]."""
        return float(self.counts[members].sum() / self.total)

    def median(self, values: Percentiles) -> float:
        """The median of values [vocab] over what came out."""
        return float(np.median(np.repeat(values, self.counts)))


@dataclass(frozen=True)
class Group:
    """One row of the table; shares and medians are over the tokens of the group.

    emitted       times that a token of the group came out at T=-0.001
    percentile    median, of the distance to the centroid of the input embedding
    from_bottom   median over tokens of the median rank of their logit, 0 the least likely
    said          share that the model says with p > 0.1 when asked
    probability   median p when asked
    """

    name: str
    tokens: int
    emitted: int
    percentile: float
    from_bottom: float
    asked: int
    said: float
    probability: float


def emitted(model: LoadedModel, seeds: Sequence[int], length: int) -> Mapping[float, Emitted]:
    """What comes out after PROMPTS at either sign."""
    vocab = model.engine.model.vocabulary.size
    found = {ABOVE: Counter[int](), BELOW: Counter[int]()}
    for record in model.compare(*PROMPTS, temperatures=[ABOVE, BELOW], seeds=seeds, n_predict=length):
        if isinstance(record, Completion):
            found[record.temperature.temperature].update(record.token_ids)
    return {t: Emitted(np.bincount([*counter.elements()], minlength=vocab)) for t, counter in found.items()}


def input_percentiles(model: LoadedModel) -> Percentiles:
    """Percentile of each token's distance to the centroid of the input embedding, 0 the nearest: [vocab]."""
    found = [r for r in model.centroid() if isinstance(r, TokenGeometry) and r.matrix == "embedding"]
    percentiles = np.full(len(found), np.nan)
    for token in found:
        percentiles[token.token_id] = np.nan if token.percentile is None else token.percentile
    return percentiles


def ranks_from_bottom(model: LoadedModel) -> Percentiles:
    """Median over every context in PROMPTS of each token's rank from the least likely, 0: [vocab]."""
    return np.median([row.argsort().argsort() for row in _logits(model, last=None)], axis=0)


def _logits(model: LoadedModel, last: int | None) -> Iterator[Percentiles]:
    """Logits after the last tokens of each of PROMPTS: [vocab]."""
    inner = model.engine.model
    prompts = [inner.vocabulary.tokenize(prompt) for prompt in PROMPTS]
    for row in score(inner, prompts, last=last, threads=model.engine.threads):
        yield row.logits.astype(np.float64)


def below_zero(model: LoadedModel) -> tuple[Percentiles, float]:
    """Probability of each token at T=-0.001, the mean over every context in PROMPTS: [vocab]; the median of exp(S)."""
    total, tokens = np.zeros(model.engine.model.vocabulary.size), []
    for row in _logits(model, last=None):
        p = probabilities(row, 1 / BELOW)
        total += p
        tokens.append(float(np.exp(entropy(row, 1 / BELOW))))
    return total / len(tokens), float(np.median(tokens))


def plateaus(model: LoadedModel) -> Percentiles:
    """exp(S) at that of PLATEAU_BETAS where the heat capacity is least, after each of PROMPTS: [prompts]."""
    found = (curves(row, PLATEAU_BETAS) for row in _logits(model, last=1))
    return np.array([np.exp(curve.entropy[curve.heat_capacity.argmin()]) for curve in found])


def published(model: LoadedModel) -> list[int]:
    """Ids of the published tokens that this vocabulary holds."""
    return sorted({token.token_id for token in known_tokens.published(model.engine.model.vocabulary, None, {})})


def groups(counts: Ids, published: Sequence[int], below: Emitted, ordinary: NDArray[np.bool_]) -> dict[str, Ids]:
    """Ids of each group. ordinary: tokens that are neither bytes nor control tokens, [vocab]."""
    return {
        "published": np.array(published, np.int64),
        "emitted at T=-0.001": np.flatnonzero((below.counts > 0) & ordinary),
        "never seen": np.flatnonzero((counts == 0) & ordinary),
        f"seen 1 to {SEEN_WELL - 1} times": np.flatnonzero((counts > 0) & (counts < SEEN_WELL) & ordinary),
        f"seen {SEEN_WELL} times or more": np.flatnonzero((counts >= SEEN_WELL) & ordinary),
        f"seen {SEEN_OFTEN} times or more": np.flatnonzero((counts >= SEEN_OFTEN) & ordinary),
    }


def asked(model: LoadedModel, ids: Ids, below: Emitted) -> dict[int, float]:
    """Greatest p of up to SAMPLE tokens when asked: those that came out most often, then at random."""
    random = np.random.default_rng(1)
    order = np.lexsort((random.random(len(ids)), -below.counts[ids]))
    chosen = ids[order[:SAMPLE]].tolist()
    trials = model.repeat(*chosen, controls=0, samples=0)
    return {trial.token_id: trial.probability for trial in trials if isinstance(trial, Trial)}


def table(model: LoadedModel, members: Mapping[str, Ids], below: Emitted) -> Iterable[Group]:
    """A Group for each set of ids."""
    percentiles, ranks = input_percentiles(model), ranks_from_bottom(model)
    for name, ids in members.items():
        p = np.array([*asked(model, ids, below).values()])
        yield Group(
            name=name,
            tokens=len(ids),
            emitted=int(below.counts[ids].sum()),
            percentile=float(np.median(percentiles[ids])),
            from_bottom=float(np.median(ranks[ids])),
            asked=len(p),
            said=float((p > 0.1).mean()),
            probability=float(np.median(p)),
        )
