"""The instrument that asks a model for tokens, for `audit`, `repeat` and `reproduce`: can it say this token at all?

The exact id is spliced into prompts that leave the model little else to say (`elicitation_prompts`), and the answer is
the probability of that id as the next token, at T = 1, in one deterministic pass without drawing. What an answer means
is said on one scale (`records.trial`). Prompts of one wording share their beginning and are decoded many at a time
(`model.engine.prompt_logits`).

An audit asks for reference tokens first. Where the model does not say them, its silence about others means nothing. It
leaves out what a model says instead (`repeat`), and which tokens are worth asking for (`audit`).

Source of the idea: Land & Bartolo 2024 (arXiv 2405.05417), who ask for one token at a time, with three new tokens each;
the thresholds for reference tokens are ours.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments import elicitation_prompts
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.model.tokens.splicing import Template
from negtemp.records.audit import Controls
from negtemp.records.trial import SAID_FROM, STRONG_BELOW

REFERENCE_TOKENS = 48
_SAID_SHARE = 2 / 3
_STRONG_SHARE = 0.05


class Said(NamedTuple):
    """How likely the exact id is after one prompt, and how many tokens are more likely."""

    probability: float
    rank: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking for one token showed, by the name of each prompt that was tried."""

    token_id: int
    said: Mapping[str, Said]

    @property
    def best(self) -> str:
        """The prompt after which the token is likeliest, the first of equals."""
        return max(self.said, key=lambda name: self.said[name].probability)

    @property
    def probability(self) -> float:
        """The greatest over the prompts."""
        return self.said[self.best].probability

    @property
    def probabilities(self) -> dict[str, float]:
        return {name: said.probability for name, said in self.said.items()}


class Elicitor:
    """Asks one model for tokens, with every prompt that it can be asked with, or with the given ones."""

    def __init__(self, engine: Engine, prompts: Mapping[str, Template] | None = None) -> None:
        """Raises PromptError where no prompt fits the model's context."""
        self.engine = engine
        self.left_out: list[str] = []
        if prompts is None:
            prompts, self.left_out = elicitation_prompts.available(engine.model)
        self.prompts = prompts

    def ask(self, token_ids: Sequence[int], until: float | None = SAID_FROM) -> Iterator[Answer]:
        """An Answer for each token, in order. A token once said with this probability is asked with no further prompt.

        Raises ModelError for an id that does not exist, DecodeError.
        """
        found: dict[int, dict[str, Said]] = {token_id: {} for token_id in token_ids}
        for name, prompt in self.prompts.items():
            left = [i for i, said in found.items() if until is None or not _is_said(said.values(), until)]
            rows = score(self.engine.model, map(prompt.fill, left), threads=self.engine.threads)
            for token_id, row in zip(left, rows, strict=True):
                found[token_id][name] = observe(row.logits, token_id)
        yield from (Answer(token_id, found[token_id]) for token_id in token_ids)


def _is_said(said: Iterable[Said], until: float) -> bool:
    return any(one.probability >= until for one in said)


def observe(logits: NDArray[np.float32], token_id: int) -> Said:
    """Of one token for logits `[vocab]`: p at T = 1, 0 where it is masked or not a number, and its rank."""
    z = np.where(np.isfinite(logits), logits, -np.inf)
    highest, own = float(z.max()), float(z[token_id])
    rank = int(np.count_nonzero(z > own))
    if own == -np.inf:
        return Said(0.0, rank)
    distances = np.subtract(z, highest, dtype=np.float64)
    return Said(float(np.exp(own - highest - math.log(np.exp(distances).sum()))), rank)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the model did on the reference tokens."""

    answers: tuple[Answer, ...]

    @property
    def said(self) -> bool:
        """Whether two in three are said (p >= 0.1) and no more than one in twenty has p < 0.001."""
        if not self.answers:
            return False
        p = self._probabilities()
        return bool((p >= SAID_FROM).mean() >= _SAID_SHARE and (p < STRONG_BELOW).mean() <= _STRONG_SHARE)

    def record(self) -> Controls:
        """The same in figures."""
        p = self._probabilities()
        return Controls(
            tokens=len(p), said=self.said, median=float(np.median(p)) if len(p) else None,
            rejected=int((p >= SAID_FROM).sum()), strong=int((p < STRONG_BELOW).sum()),
        )  # fmt: skip

    def _probabilities(self) -> NDArray[np.float64]:
        return np.array([answer.probability for answer in self.answers])


def reference_tokens(order: Sequence[int], count: int = REFERENCE_TOKENS) -> list[int]:
    """Tokens to ask for first: evenly spread over the less suspect half of `order`, from the most suspect on."""
    half = order[len(order) // 2 :]
    if len(half) <= count:
        return list(half)
    return [half[int(place)] for place in np.linspace(0, len(half) - 1, count)]
