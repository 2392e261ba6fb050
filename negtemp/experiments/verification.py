"""Can the model say a token at all? The exact id is spliced into several prompts that leave it little else to say.

The score of a token is the greatest probability of its id as the next token, over the shapes; one deterministic pass,
no drawing. Shapes are asked one after the other, and a token said with p >= 0.1 is not asked again: its verdict is
settled. Prompts of one shape share their beginning and are decoded many at a time (`model.engine.prompt_logits`).

Control tokens go first. Where the model does not say them, its silence about others means nothing. It leaves out the
wording (`shapes`), what a model says instead (`repeat`), and which tokens are worth asking (`audit`).

Source of the idea: Land & Bartolo 2024 (arXiv 2405.05417), who ask one token at a time, with three new tokens each; the
thresholds for controls are ours.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments import shapes
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import SEQUENCES, score
from negtemp.records.audit import REJECTED_FROM, STRONG_BELOW, Controls

Item = TypeVar("Item")
Watch = Callable[[Iterable[Any], int, str], Iterable[Any]]

CONTROLS = 48
_SAID_SHARE = 2 / 3
_STRONG_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking for one token showed: the probability of its id under each shape that was tried."""

    token_id: int
    probabilities: Mapping[str, float]

    @property
    def probability(self) -> float:
        """The greatest of them."""
        return max(self.probabilities.values())


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the model did on its controls."""

    answers: tuple[Answer, ...]

    @property
    def said(self) -> bool:
        """Whether two in three controls are said with p >= 0.1 and no more than one in twenty has p < 0.001."""
        if not self.answers:
            return False
        p = np.array([answer.probability for answer in self.answers])
        return bool((p >= REJECTED_FROM).mean() >= _SAID_SHARE and (p < STRONG_BELOW).mean() <= _STRONG_SHARE)

    def record(self) -> Controls:
        """The same in figures."""
        p = np.array([answer.probability for answer in self.answers])
        return Controls(
            tokens=len(p), said=self.said, median=float(np.median(p)) if len(p) else None,
            rejected=int((p >= REJECTED_FROM).sum()), strong=int((p < STRONG_BELOW).sum()),
        )  # fmt: skip


def passed(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """A Watch that only looks."""
    return items


class Examiner:
    """Asks one model for tokens, in every prompt shape that it can be asked in."""

    def __init__(self, engine: Engine, sequences: int = SEQUENCES) -> None:
        """Raises PromptError where no shape fits the model's context."""
        self._engine, self._sequences = engine, sequences
        self.templates, self.left_out = shapes.available(engine.model)

    def ask(self, token_ids: Sequence[int]) -> Iterator[Answer]:
        """An Answer for each token, in order. Raises DecodeError."""
        found: dict[int, dict[str, float]] = {token_id: {} for token_id in token_ids}
        for name, shape in self.templates.items():
            left = [i for i, told in found.items() if max(told.values(), default=0.0) < REJECTED_FROM]
            rows = score(
                self._engine.model, map(shape.fill, left), sequences=self._sequences, threads=self._engine.threads
            )
            for token_id, row in zip(left, rows, strict=True):
                found[token_id][name] = probability(row.logits, token_id)
        yield from (Answer(token_id, found[token_id]) for token_id in token_ids)


def probability(logits: NDArray[np.float32], token_id: int) -> float:
    """p of one token at T = 1 for logits `[vocab]`; 0 where it is masked or not a number."""
    z = np.where(np.isfinite(logits), logits, -np.inf)
    highest = float(z.max())
    if not np.isfinite(highest) or z[token_id] == -np.inf:
        return 0.0
    return float(np.exp(float(z[token_id]) - highest) / np.exp(z - highest, dtype=np.float64).sum())


def controls(order: Sequence[int], count: int = CONTROLS) -> list[int]:
    """Tokens to ask first: evenly spread over the less suspect half of `order`, which runs from the most suspect on."""
    half = order[len(order) // 2 :]
    if len(half) <= count:
        return list(half)
    return [half[int(place)] for place in np.linspace(0, len(half) - 1, count)]
