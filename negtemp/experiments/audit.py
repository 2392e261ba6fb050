"""Which tokens did a model never learn? Indicators rank the vocabulary, and the model is asked for the most suspect.

Suspect are the tokens nearer to the level of those never trained than tokens in use are (`theory.level`), or, where a
model has no level, nearer to those known to be unused than to those in use (`theory.ranking`); or as many as the
settings say. Asking walks down the ranking in windows of 64: through the literature's 2 % of the vocabulary in any
case, through further suspects until two windows in a row confirm fewer than one in ten, and beyond the suspects while a
third of a window is confirmed. Only tokens that a text can hold are asked for, unless all are.

Nothing can be said, and no token is suspect, where the model does not say its reference tokens and tokens known to be
unused do not stand out either, as with random weights. It leaves out how a model is asked (`elicitation`) and what is
done with the list (`views`, `cli`).

Source: theory/indicators.py, theory/thermal.py and records/trial.py.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import PromptError, UsageError
from negtemp.experiments import asking
from negtemp.experiments.asking import WINDOW, Ask, AskingPlan
from negtemp.experiments.elicitation import Answer, Calibration, Elicitor, reference_tokens
from negtemp.experiments.indicators import Survey, survey
from negtemp.experiments.superstrings import superstrings
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.categories import IN_TEXT, TOKEN_CATEGORIES, TokenCategory, token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.progress import ProgressHook, no_progress
from negtemp.records.audit import Audit, AuditToken, CategoryCounts, Reference
from negtemp.records.trial import CONFIRMED_BELOW, verdict
from negtemp.theory import ranking

_FIELD_SHARE = 0.02
_GO_ON, _GIVE_UP = 1 / 3, 1 / 10
_STRUCTURE_FROM = 0.9


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How to audit.

    candidates   how many are suspect: a number of tokens, as a float a share of the vocabulary; None: by their score
    exhaustive   ask for every token of the vocabulary, of every category
    verify       whether to ask at all
    blind        take no token for unused because of its name, type or bytes: the level has to be found by itself
    unused       names that count as unused beside the known ones; `*` stands for anything
    """

    candidates: int | float | None = None
    exhaustive: bool = False
    verify: bool = True
    seed: int = 1
    blind: bool = False
    unused: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for a number of candidates below 1, or a share outside ]0, 1]."""
        wanted = self.candidates
        if wanted is not None and not 0 < wanted <= (1 if isinstance(wanted, float) else wanted):
            raise UsageError(f"`candidates` is {wanted}; give a whole number of at least 1, or a share up to 1.0")

    def number(self, vocab: int) -> int | None:
        """How many tokens are to be suspect, at most the vocabulary; None where their score decides."""
        if self.candidates is None:
            return None
        if isinstance(self.candidates, float):
            return max(1, round(self.candidates * vocab))
        return min(vocab, self.candidates)


def audit(
    engine: Engine, weights: Weights, settings: AuditSettings | None = None, progress: ProgressHook = no_progress,
    ask: Ask | None = None,
) -> Iterator[AuditToken | Audit]:  # fmt: skip
    """Every token of the vocabulary from the most suspect on, then the Audit as a whole.

    `ask` is what asks for windows of tokens, on workers or in a run that goes on; this process without one. Raises
    ModelError and DecodeError.
    """
    settings = settings or AuditSettings()
    categories = token_categories(engine.model.vocabulary, settings.unused)
    found = survey(engine, weights, categories, seed=settings.seed, blind=settings.blind, progress=progress)
    running = _RunningAudit(engine, categories, found, settings)
    running.ask(progress, ask)
    yield from running.tokens()
    yield running.summary()


@dataclass
class _RunningAudit:
    """One audit under way."""

    engine: Engine
    categories: Sequence[TokenCategory]
    survey: Survey
    settings: AuditSettings
    order: NDArray[np.int64] = field(init=False)
    calibration: Calibration = field(init=False, default_factory=lambda: Calibration(()))
    answers: dict[int, Answer] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.order = ranking.order(self.survey.score)

    @property
    def problem(self) -> str | None:
        """Why nothing can be said, or None."""
        if self.survey.level or self.calibration.said or self.survey.structure >= _STRUCTURE_FROM:
            return None
        standing = (
            f"tokens known to be unused do not stand out (AUC {self.survey.structure:.2f}, needed: {_STRUCTURE_FROM})"
        )
        if np.isnan(self.survey.structure):
            standing = "no token is known to be unused"
        saying = "does not say its reference tokens" if self.calibration.answers else "was not asked for any token"
        return f"nothing can be said: {standing}, and the model {saying}"

    @property
    def suspect_count(self) -> int:
        """How many tokens at the top of the order are suspect."""
        wanted = self.settings.number(len(self.survey.score))
        if wanted is not None:
            return wanted
        if not self.survey.has_scale:
            return round(_FIELD_SHARE * len(self.survey.score))
        return int((self.survey.score >= ranking.THRESHOLD).sum())

    def ask(self, progress: ProgressHook, ask: Ask | None = None) -> None:
        """Ask for reference tokens, then for suspects where the reference tokens were said."""
        if not self.settings.verify:
            return
        try:
            elicitor = Elicitor(self.engine)
        except PromptError:  # a context of a few tokens holds no prompt; the ranking stands without
            return
        in_text = [int(i) for i in self.order if self.categories[i] in IN_TEXT]
        chosen = reference_tokens(in_text)
        answers = progress(elicitor.ask(chosen), len(chosen), "asking for reference tokens")
        self.calibration = Calibration(tuple(answers))
        ask = ask or (lambda plan: asking.ask(elicitor, plan))
        if self.settings.exhaustive:
            answers = itertools.chain.from_iterable(asking.in_order(ask(asking.every_token(elicitor))))
            self._keep(progress(answers, len(self.order), "asking for every token"))
        elif self.problem is None and self.calibration.said:
            to_ask = sum(self.categories[i] in IN_TEXT for i in self.order[: self.suspect_count])
            fixed = self.settings.candidates is not None
            plan = AskingPlan(tuple(in_text[:to_ask] if fixed else in_text), tuple(elicitor.prompts))
            with contextlib.closing(asking.in_order(ask(plan))) as windows:
                walk = self._walk(windows, None if fixed else to_ask)
                self._keep(progress(walk, to_ask, "asking for suspects"))

    def _keep(self, answers: Iterable[Answer]) -> None:
        self.answers = {answer.token_id: answer for answer in answers}

    def _walk(self, windows: Iterator[list[Answer]], to_ask: int | None) -> Iterator[Answer]:
        """Answers down the ranking, window by window, as far as `goes_on` says; all of them with `to_ask` of None."""
        fewest = round(_FIELD_SHARE * len(self.survey.score))
        rates: list[float] = []
        while to_ask is None or goes_on(len(rates) * WINDOW, to_ask, fewest, rates):
            answers = next(windows, None)
            if answers is None:
                return
            rates.append(sum(answer.probability < CONFIRMED_BELOW for answer in answers) / len(answers))
            yield from answers

    def tokens(self) -> Iterator[AuditToken]:
        """A record for each token, from the most suspect on."""
        vocabulary = self.engine.model.vocabulary
        count = 0 if self.problem else self.suspect_count
        said = self.calibration.said
        shown = {int(i) for i in self.order[:count]} | self.answers.keys()
        parts = superstrings(vocabulary, shown)
        for rank, token_id in enumerate(map(int, self.order)):
            answer = self.answers.get(token_id)
            p = answer.probability if answer else None
            yield AuditToken(
                token_id=token_id, raw=vocabulary.piece(token_id), category=self.categories[token_id], rank=rank,
                score=float(self.survey.score[token_id]), indicators=self._indicators(token_id), candidate=rank < count,
                probability=p, verdict=verdict(p) if p is not None and said else None,
                probabilities=answer.probabilities if answer else {}, superstrings=parts.get(token_id, ()),
            )  # fmt: skip

    def _indicators(self, token_id: int) -> dict[str, float]:
        """By name; `thermal` is the one of the thermal family that takes part in the score."""
        found = {name: float(values[token_id]) for name, values in self.survey.indicators.items()}
        return {"thermal": found["mean_logit"], **found}

    def summary(self) -> Audit:
        adaptive = self.settings.candidates is None and self.survey.has_scale
        return Audit(
            problem=self.problem, combined=self.survey.combined,
            reference=Reference(source=self.survey.reference.source, tokens=len(self.survey.reference.rows)),
            structure=self.survey.structure, threshold=ranking.THRESHOLD if adaptive else None,
            controls=self.calibration.record(), categories=self._counts(), level=self.survey.figures(),
        )  # fmt: skip

    def _counts(self) -> Mapping[str, CategoryCounts]:
        """Figures by category, in the order of the literature's."""
        count = 0 if self.problem else self.suspect_count
        suspect = Counter(self.categories[i] for i in self.order[:count])
        figures: dict[str, CategoryCounts] = {}
        for category, tokens in Counter(self.categories).items():
            p = [a.probability for i, a in self.answers.items() if self.categories[i] == category]
            verdicts = Counter(map(verdict, p)) if self.calibration.said else Counter()
            figures[category] = CategoryCounts(
                tokens=tokens, candidates=suspect[category], verified=len(p), strong=verdicts["strong"],
                weak=verdicts["weak"], rejected=verdicts["rejected"],
                below_0_01=sum(x < CONFIRMED_BELOW for x in p) if self.calibration.said else 0,
            )  # fmt: skip
        return {category: figures[category] for category in TOKEN_CATEGORIES if category in figures}


def goes_on(done: int, to_ask: int, fewest: int, rates: Sequence[float]) -> bool:
    """Whether another window is asked for, after `done` tokens of which the windows confirmed these shares.

    Of the suspects `to_ask` can be asked for, and `fewest` tokens are asked for in any case.

    >>> goes_on(640, 3000, 640, [0.9, 0.05, 0.02])
    False
    """
    if done < fewest or not rates:
        return done < max(fewest, to_ask)
    if done < to_ask:
        return len(rates) < 2 or max(rates[-2:]) >= _GIVE_UP
    return rates[-1] >= _GO_ON
