"""Will the model say these tokens when it is asked to?

Each token is asked for with every prompt (`elicitation`), and after the prompt that makes it likeliest the model then
answers, greedily and by drawing. Every candidate has controls that resemble it (`matched_controls`), because small
models, and rare letters, are hard to repeat for reasons of their own: a model that does not say half of its controls is
unable to repeat, and nothing is said of its candidates.

It leaves out how the candidates were found, and whether a token could be reached from text.

Sources: scoring by the exact id, Land & Bartolo 2024 (arXiv 2405.05417), section 3.3; controls, because detectors
without them call up to a fifth of a vocabulary broken (Zhang et al. 2024, arXiv 2408.04905, their labels of Llama-2).
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments import asking, matched_controls
from negtemp.experiments.asking import Ask, AskingPlan
from negtemp.experiments.elicitation import Elicitor
from negtemp.experiments.elicitation_prompts import ANSWER_TOKENS
from negtemp.model.engine.engine import Engine, Request
from negtemp.records import Completion, Repetition, Trial
from negtemp.records.trial import SAID_FROM, Outcome, Role
from negtemp.theory.statistics import Interval, bootstrap
from negtemp.theory.temperature import GREEDY, Temperature

_SEQUENCES = 16
_MOST_CELLS = 4096
_FEWEST_PAIRS = 3
_SMALLEST = 1e-300  # of a probability whose logarithm is taken
_LIKE = 0.1  # a smaller loss of probability than this is called none
_UNCHANGED = Temperature.of(1.0)


@dataclass(frozen=True, slots=True)
class RepeatSettings:
    """How to ask. counts: how often each token occurred in training, `[vocab]`, where it is known."""

    controls: int = 3
    samples: int = 4
    seed: int = 1
    counts: NDArray[np.int64] | None = None


class _Asked(NamedTuple):
    token_id: int
    role: Role
    control_for: int | None
    matched_on: tuple[str, ...]


def repeat(
    elicitor: Elicitor, candidates: Sequence[int], settings: RepeatSettings, ask: Ask | None = None
) -> Iterator[Trial | Repetition]:
    """A Trial for every candidate and its controls, then the Repetition.

    `ask` is what asks for windows of tokens, as on workers; this process without one. Raises ModelError for an id that
    does not exist, DecodeError.
    """
    vocabulary = elicitor.engine.model.vocabulary
    unique = list(dict.fromkeys(candidates))
    drawn = matched_controls.controls(vocabulary, unique, settings.controls, settings.seed, settings.counts)
    asked = [_Asked(one, "candidate", None, ()) for one in unique]
    asked += [_Asked(one.token_id, "control", one.control_for, one.matched_on) for one in drawn]
    trials = []
    for trial in _trials(elicitor, asked, settings, ask or (lambda plan: asking.ask(elicitor, plan))):
        trials.append(trial)
        yield trial
    yield conclusion(trials)


def _trials(elicitor: Elicitor, asked: Sequence[_Asked], settings: RepeatSettings, ask: Ask) -> Iterator[Trial]:
    vocabulary = elicitor.engine.model.vocabulary
    plan = AskingPlan(tuple(one.token_id for one in asked), tuple(elicitor.prompts), until=None)
    answers = list(itertools.chain.from_iterable(asking.in_order(ask(plan))))
    prompts = [elicitor.prompts[answer.best].fill(answer.token_id) for answer in answers]
    for one, answer, (greedy, *drawn) in zip(asked, answers, _said(elicitor.engine, prompts, settings), strict=True):
        yield Trial(
            token_id=one.token_id, raw=vocabulary.piece(one.token_id), category=vocabulary.category(one.token_id),
            role=one.role, probability=answer.probability, probabilities=answer.probabilities, shape=answer.best,
            rank=answer.said[answer.best].rank, said=greedy, said_raw=vocabulary.detokenize(greedy),
            sampled=float(np.mean([one.token_id in answered for answered in drawn])) if drawn else None,
            control_for=one.control_for, matched_on=one.matched_on,
        )  # fmt: skip


def _said(
    engine: Engine, prompts: Sequence[tuple[int, ...]], settings: RepeatSettings
) -> Iterator[list[tuple[int, ...]]]:
    """For each prompt its greedy answer, then the drawn ones, as token ids."""
    ways = [(GREEDY, settings.seed), *((_UNCHANGED, settings.seed + number) for number in range(settings.samples))]
    longest = max(map(len, prompts), default=1) + ANSWER_TOKENS
    rows = max(1, min(_SEQUENCES // len(ways), _MOST_CELLS // (longest * len(ways))))
    remaining = iter(prompts)
    while together := list(islice(remaining, rows)):
        requests = [
            Request(number, "", prompt, temperature, seed, ANSWER_TOKENS, longest)
            for number, (prompt, (temperature, seed)) in enumerate((prompt, way) for prompt in together for way in ways)
        ]
        done = {r.sequence: r.token_ids for r in engine.generate(requests) if isinstance(r, Completion)}
        yield from ([done[row * len(ways) + way] for way in range(len(ways))] for row in range(len(together)))


def conclusion(trials: Sequence[Trial]) -> Repetition:
    """What the trials show, candidates against their own controls."""
    candidates = [trial for trial in trials if trial.role == "candidate"]
    controls = [trial for trial in trials if trial.role == "control"]
    losses = _losses(candidates, controls, np.asarray)
    nats = _losses(candidates, controls, lambda p: np.log(np.maximum(p, _SMALLEST)))
    interval, nats_interval = bootstrap(losses), bootstrap(nats)
    controls_said = _share_said(controls)
    return Repetition(
        candidates=len(candidates), controls=len(controls), candidates_said=_share_said(candidates),
        controls_said=controls_said, difference=_mean(losses), interval=(interval.low, interval.high), nats=_mean(nats),
        nats_interval=(nats_interval.low, nats_interval.high), pairs=len(losses),
        outcome=_outcome(len(losses), controls_said, interval),
    )  # fmt: skip


def _losses(
    candidates: Sequence[Trial], controls: Sequence[Trial], scale: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[float]:
    """For each candidate that has controls, its probability on a scale less the mean of theirs."""
    own: defaultdict[int | None, list[float]] = defaultdict(list)
    for control in controls:
        own[control.control_for].append(control.probability)
    return [
        float(scale(np.array(trial.probability)) - scale(np.array(own[trial.token_id])).mean())
        for trial in candidates
        if own[trial.token_id]
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _share_said(trials: Sequence[Trial]) -> float:
    return _mean([trial.probability >= SAID_FROM for trial in trials])


def _outcome(pairs: int, controls_said: float, interval: Interval) -> Outcome:
    if pairs and controls_said < 0.5:
        return "unable to repeat"
    if pairs < _FEWEST_PAIRS:
        return "cannot tell"
    if interval.high < -_LIKE:
        return "not said"
    return "said like the controls" if interval.low > -_LIKE else "cannot tell"
