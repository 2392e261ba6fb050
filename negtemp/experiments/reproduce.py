"""The article's experiment on one model, and a measured verdict on each of its claims.

Two dozen prompts (`prompts`) at T=+0.001 and T=-0.001 with every filter off, as in the article; then what the verdicts
need besides: the prompts in order and shuffled (`order_preference`), the embedding's geometry and what random hidden
states emit (`centroid`), and whether the model says the tokens that it emits below zero (`repeat`). Texts at beta=0 are
a control too; a uniform draw does not depend on the model, so they are drawn here. Where it is known how often each
token occurred in training, the share of emitted tokens that never did is reported too.

The rules of the verdicts are in `verdicts`. It leaves out drawing and files.

Source: https://cavendishlabs.org/blog/negative-temperature (2023), for the claims.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ModelError, UsageError
from negtemp.experiments import centroid, emitted_tokens, order_preference, verdicts
from negtemp.experiments.elicitation import Elicitor
from negtemp.experiments.emitted_tokens import PROMPTS
from negtemp.experiments.generate import compare
from negtemp.experiments.indicators import survey
from negtemp.experiments.known_tokens import published
from negtemp.experiments.repeat import RepeatSettings, repeat
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine
from negtemp.model.weights.tensors import Weights
from negtemp.records import ClaimVerdict, Completion, PublishedToken, Repetition, Step, Trial
from negtemp.records.verdict import Claim
from negtemp.theory.coherence import common_share
from negtemp.theory.level import Level
from negtemp.theory.temperature import Temperature

ABOVE, BELOW = Temperature.of(0.001), emitted_tokens.BELOW_ZERO
TEMPERATURES = (ABOVE, BELOW)
CLAIMS: tuple[Claim, ...] = (
    "coherent-above-zero", "degenerate-below-zero", "near-input-centroid", "not-said-when-asked", "prompt-independent",
)  # fmt: skip

Result = Step | Completion | Trial | Repetition | PublishedToken | ClaimVerdict


@dataclass(frozen=True, slots=True)
class ReproduceSettings:
    """How much to do. counts: how often each token occurred in training, `[vocab]`, where it is known."""

    n_predict: int = 40
    seed: int = 1
    asked: int = 20
    controls: int = 3
    counts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for a completion of no length: the claims compare texts of as many tokens."""
        if self.n_predict < 1:
            raise UsageError(f"`n_predict` is {self.n_predict}; give a whole number of at least 1")


def reproduce(elicitor: Elicitor, how: ReproduceSettings, prompts: Sequence[str] = PROMPTS) -> Iterator[Result]:
    """Steps, Completions, Trials, the Repetition, PublishedTokens, then a ClaimVerdict for each of CLAIMS.

    Raises PromptError, DecodeError.
    """
    engine = elicitor.engine
    written: dict[Temperature, list[Completion]] = {temperature: [] for temperature in TEMPERATURES}
    settings = Settings(n_predict=how.n_predict)
    for record in compare(engine, prompts, TEMPERATURES, [how.seed], settings):
        if isinstance(record, Completion):
            written[record.temperature].append(record)
        yield record
    emitted = emitted_tokens.emitted(written[BELOW])
    asked = emitted_tokens.candidates(engine.model.vocabulary, emitted, how.asked)
    conclusion = None
    for trial in repeat(elicitor, asked, RepeatSettings(how.controls, 0, how.seed)):
        conclusion = trial if isinstance(trial, Repetition) else conclusion
        yield trial
    assert conclusion is not None
    lying = _geometry(engine)
    counted = Counter(token_id for completion in written[BELOW] for token_id in completion.token_ids)
    yield from published(engine.model.vocabulary, None if isinstance(lying, str) else lying.percentiles, counted)
    yield from _verdicts(engine, how, prompts, written, lying, conclusion)


@dataclass(frozen=True)
class _Lying:
    """Where tokens lie around the embedding's centroid and to the level, and what random hidden states emit."""

    distances: NDArray[np.float64]
    percentiles: NDArray[np.float64]
    ordinary: NDArray[np.bool_]
    tied: bool
    random: list[int]
    level: Level | None


def _geometry(engine: Engine) -> _Lying | str:
    """Or why it cannot be had, in a few words, as of a file without embeddings."""
    model = engine.model
    try:
        category = centroid.categories(model.vocabulary)
        with Weights(model.library, model.path) as weights:
            found = centroid.measured(weights, category, engine.threads)[0]
            random = centroid.random_argmins(weights, model.vocabulary.size)
            level = survey(engine, weights, category).level
            return _Lying(
                found.geometry.distances, found.geometry.percentiles, found.ordinary, found.tied, random, level
            )
    except ModelError as error:
        return str(error).partition(";")[0]


def _verdicts(
    engine: Engine, how: ReproduceSettings, prompts: Sequence[str], written: Mapping[Temperature, list[Completion]],
    lying: _Lying | str, conclusion: Repetition,
) -> Iterator[ClaimVerdict]:  # fmt: skip
    shares = {t: np.array([common_share(c.text) for c in _in_order(written[t])]) for t in TEMPERATURES}
    sets = {t: [set(c.token_ids) for c in _in_order(written[t])] for t in TEMPERATURES}
    uniform = _uniform(engine, how, len(prompts))
    preferred = order_preference.preference(engine, prompts, how.seed)
    yield verdicts.coherent(preferred, shares[ABOVE], uniform)
    yield verdicts.degenerate(shares[BELOW], shares[ABOVE], uniform, _style(written))
    yield _near(sets, lying, how.counts)
    yield verdicts.not_said(conclusion)
    first = [list(completion.token_ids[:1]) for completion in written[BELOW]]
    most = Counter(token_id for ids in first for token_id in ids).most_common(1)
    figures = {"prompts whose first token is the commonest": most[0][1] / len(first)} if most else {}
    yield verdicts.independent(sets[BELOW], sets[ABOVE], engine.model.vocabulary.size, figures)


def _uniform(engine: Engine, how: ReproduceSettings, texts: int) -> NDArray[np.float64]:
    """Shares of common words in texts of tokens drawn uniformly, `[texts]`."""
    vocabulary, rng = engine.model.vocabulary, np.random.default_rng(how.seed)
    drawn = rng.integers(vocabulary.size, size=(texts, how.n_predict)).tolist()
    return np.array([common_share(vocabulary.detokenize(ids).decode("utf-8", "replace")) for ids in drawn])


def _in_order(completions: Sequence[Completion]) -> list[Completion]:
    """By prompt: those of different temperatures stand at the same place."""
    return sorted(completions, key=lambda completion: completion.sequence)


def _style(written: Mapping[Temperature, list[Completion]]) -> dict[str, float]:
    """Mean log-probability and distinct tokens below and above zero."""
    return {
        f"{name} at T={sign}0.001": float(np.mean([getattr(c, field) for c in written[t]]))
        for sign, t in (("-", BELOW), ("+", ABOVE))
        for name, field in (("mean log-probability", "mean_logprob"), ("distinct tokens", "distinct"))
    }


def _near(
    sets: Mapping[Temperature, Sequence[set[int]]], lying: _Lying | str, counts: NDArray[np.int64] | None
) -> ClaimVerdict:
    below, above = (set().union(*sets[t]) for t in (BELOW, ABOVE))
    if isinstance(lying, str):
        nothing = np.full(1 + max(below | above, default=0), np.nan)
        return replace(verdicts.near(nothing, {"T=-0.001": below, "T=+0.001": above}, False, {}), note=lying)
    ordinary = np.where(lying.ordinary, lying.distances, np.nan)
    figures = {"AUC with bytes and control tokens": verdicts.mean(verdicts.nearer(lying.distances, below))}
    if lying.level is not None:
        distance = np.where(lying.ordinary, lying.level.distance, np.nan)
        figures |= {"AUC by nearness to the level": verdicts.mean(verdicts.nearer(distance, below)),
                    "emitted tokens at the level": verdicts.mean(lying.level.members[sorted(below)])}  # fmt: skip
    if counts is not None:
        never = counts == 0
        figures |= {"emitted tokens never seen": verdicts.mean(never[sorted(below)]),
                    "of the vocabulary never seen": verdicts.mean(never)}  # fmt: skip
    named = {"T=-0.001": below, "T=+0.001": above, centroid.RANDOM_STATES: set(lying.random)}
    return verdicts.near(ordinary, named, lying.tied, figures)
