"""Which tokens did a model never learn? Indicators rank the vocabulary, and asking the model to say the most suspect
ones verifies them.

Candidates are the tokens nearer to the level of those never trained than tokens in use are (`theory.level`), or, where
a model has no level, nearer to those known to be unused than to those in use (`theory.ranking`), whatever their share
of the vocabulary; or as many as the settings say. Verification walks down the ranking in windows of 64: through the
literature's 2 % of the vocabulary in any case, through further candidates until two windows in a row confirm fewer than
one in ten (p < 0.01), and beyond the candidates while a third of a window is confirmed. Only tokens that a text can
hold are asked for, unless all are.

Nothing can be said, and no token is a candidate, where the model does not say its controls and tokens known to be
unused do not stand out either: random weights, for one. It leaves out what is done with the list (`views`, `cli`).

Source: theory/indicators.py, theory/thermal.py and records/audit.py.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import PromptError, UsageError
from negtemp.experiments.indicators import Survey, survey
from negtemp.experiments.superstrings import superstrings
from negtemp.experiments.verification import Answer, Calibration, Examiner, Watch, controls, passed
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.categories import IN_TEXT, TOKEN_CATEGORIES, TokenCategory, token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.records.audit import HEADLINE_BELOW, Audit, AuditToken, CategoryCounts, Reference, verdict
from negtemp.theory import ranking

WINDOW = 64
_FIELD_SHARE = 0.02
_GO_ON, _GIVE_UP = 1 / 3, 1 / 10
_STANDS_OUT = 0.9


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How to audit.

    candidates   None for the adaptive threshold; an int is a number of tokens, a float a share of the vocabulary
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
        """Raises UsageError for a number of candidates that cannot be meant."""
        wanted = self.candidates
        if wanted is not None and not 0 < wanted <= (1 if isinstance(wanted, float) else wanted):
            raise UsageError(f"{wanted} candidates cannot be meant; give a number of at least 1, or a share up to 1.0")

    def number(self, vocab: int) -> int | None:
        """How many candidates were asked for, at most the vocabulary; None for the adaptive threshold."""
        if self.candidates is None:
            return None
        if isinstance(self.candidates, float):
            return max(1, round(self.candidates * vocab))
        return min(vocab, self.candidates)


def audit(
    engine: Engine, weights: Weights, settings: AuditSettings | None = None, watch: Watch = passed
) -> Iterator[AuditToken | Audit]:
    """Every token of the vocabulary from the most suspect on, then the Audit as a whole.

    `watch(items, total, what)` passes items on, so that a caller can show how far along each part is. Raises
    ModelError and DecodeError.
    """
    settings = settings or AuditSettings()
    categories = token_categories(engine.model.vocabulary, settings.unused)
    found = survey(engine, weights, categories, seed=settings.seed, blind=settings.blind, watch=watch)
    case = _Case(engine, categories, found, settings)
    case.verify(watch)
    yield from case.tokens()
    yield case.summary()


@dataclass
class _Case:
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
        if self.survey.level or self.calibration.said or self.survey.stands_out >= _STANDS_OUT:
            return None
        standing = (
            f"tokens known to be unused do not stand out (AUC {self.survey.stands_out:.2f}, asked: {_STANDS_OUT})"
        )
        if np.isnan(self.survey.stands_out):
            standing = "no token is known to be unused"
        saying = "does not say its control tokens" if self.calibration.answers else "was not asked for any token"
        return f"nothing can be said: {standing}, and the model {saying}"

    @property
    def suspects(self) -> int:
        """How many tokens at the top of the order are candidates."""
        wanted = self.settings.number(len(self.survey.score))
        if wanted is not None:
            return wanted
        if not self._has_threshold:
            return round(_FIELD_SHARE * len(self.survey.score))
        return int((self.survey.score >= ranking.THRESHOLD).sum())

    @property
    def _has_threshold(self) -> bool:
        """Whether scores are distances; without a level or a token known to be unused they are ranks."""
        return self.survey.level is not None or not np.isnan(self.survey.stands_out)

    def verify(self, watch: Watch) -> None:
        """Ask for controls, then for candidates where the controls were said."""
        if not self.settings.verify:
            return
        try:
            examiner = Examiner(self.engine)
        except PromptError:  # a context of a few tokens holds no prompt; the ranking stands without
            return
        asked = [int(i) for i in self.order if self.categories[i] in IN_TEXT]
        chosen = controls(asked)
        self.calibration = Calibration(tuple(watch(examiner.ask(chosen), len(chosen), "asking for controls")))
        if self.settings.exhaustive:
            every = [int(i) for i in self.order]
            windows = itertools.chain.from_iterable(examiner.ask(part) for part in _windows(every))
            self.answers = {a.token_id: a for a in watch(windows, len(every), "asking for every token")}
        elif self.problem is None and self.calibration.said:
            expected = len(self._expected(asked))
            self.answers = {
                a.token_id: a for a in watch(self._walk(examiner, asked), expected, "asking for candidates")
            }

    def _expected(self, asked: Sequence[int]) -> Sequence[int]:
        top = {int(i) for i in self.order[: self.suspects]}
        return [token_id for token_id in asked if token_id in top]

    def _walk(self, examiner: Examiner, asked: Sequence[int]) -> Iterator[Answer]:
        """Answers down the ranking, window by window, as far as `goes_on` says or the settings."""
        expected, fewest = len(self._expected(asked)), round(_FIELD_SHARE * len(self.survey.score))
        if self.settings.candidates is not None:
            yield from itertools.chain.from_iterable(map(examiner.ask, _windows(asked[:expected])))
            return
        rates: list[float] = []
        for number, window in enumerate(_windows(asked)):
            if not goes_on(number * WINDOW, expected, fewest, rates):
                return
            answers = list(examiner.ask(window))
            rates.append(sum(answer.probability < HEADLINE_BELOW for answer in answers) / len(answers))
            yield from answers

    def tokens(self) -> Iterator[AuditToken]:
        """A record for each token, from the most suspect on."""
        vocabulary = self.engine.model.vocabulary
        count = 0 if self.problem else self.suspects
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
        adaptive = self.settings.candidates is None and self._has_threshold
        return Audit(
            problem=self.problem, combined=self.survey.combined,
            reference=Reference(source=self.survey.reference.source, tokens=len(self.survey.reference.rows)),
            structure=self.survey.stands_out, threshold=ranking.THRESHOLD if adaptive else None,
            controls=self.calibration.record(), categories=self._counts(), level=self.survey.figures(),
        )  # fmt: skip

    def _counts(self) -> Mapping[str, CategoryCounts]:
        """Figures by category, in the order of the literature's."""
        count = 0 if self.problem else self.suspects
        candidates = Counter(self.categories[i] for i in self.order[:count])
        figures: dict[str, CategoryCounts] = {}
        for category, tokens in Counter(self.categories).items():
            p = [a.probability for i, a in self.answers.items() if self.categories[i] == category]
            verdicts = Counter(map(verdict, p)) if self.calibration.said else Counter()
            figures[category] = CategoryCounts(
                tokens=tokens, candidates=candidates[category], verified=len(p), strong=verdicts["strong"],
                weak=verdicts["weak"], rejected=verdicts["rejected"],
                below_0_01=sum(x < HEADLINE_BELOW for x in p) if self.calibration.said else 0,
            )  # fmt: skip
        return {category: figures[category] for category in TOKEN_CATEGORIES if category in figures}


def goes_on(done: int, expected: int, fewest: int, rates: Sequence[float]) -> bool:
    """Whether another window is asked for, after `done` tokens of which the windows confirmed these shares.

    >>> goes_on(640, 3000, 640, [0.9, 0.05, 0.02])
    False
    """
    if done < fewest or not rates:
        return done < max(fewest, expected)
    if done < expected:
        return len(rates) < 2 or max(rates[-2:]) >= _GIVE_UP
    return rates[-1] >= _GO_ON


def _windows(token_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (token_ids[start : start + WINDOW] for start in range(0, len(token_ids), WINDOW))
