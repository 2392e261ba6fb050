"""Asking a model for many tokens, in windows that can be asked anywhere and in any order: the units of an audit.

A window is the unit: its tokens are asked for together (`elicitation`), whatever else is asked, so the same window
gives the same answers in one process, on several workers and in a run that goes on. Its key is a hash of its tokens and
of how they are asked for. It leaves out which tokens are worth asking for (`audit`, `repeat`), where windows are asked
and where their answers are kept (`runs`).
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from negtemp.errors import DecodeError, UsageError
from negtemp.experiments import elicitation_prompts
from negtemp.experiments.elicitation import Answer, Elicitor, Said
from negtemp.model.engine.engine import Engine
from negtemp.records import Asked, Failure
from negtemp.records.trial import SAID_FROM

WINDOW = 64


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens that are asked for together; `number` is their place in the plan."""

    number: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AskingPlan:
    """What to ask for, in windows of 64, with which prompts by name.

    until   a token once said with this probability is asked with no further prompt; None: with every prompt
    """

    token_ids: tuple[int, ...]
    prompts: tuple[str, ...]
    until: float | None = SAID_FROM

    def __len__(self) -> int:
        return -(-len(self.token_ids) // WINDOW)

    def unit(self, number: int) -> Window:
        """The window at a place."""
        return Window(number, self.token_ids[number * WINDOW : (number + 1) * WINDOW])

    def units(self) -> Iterator[Window]:
        """Every window, in order."""
        return map(self.unit, range(len(self)))

    def key(self, unit: Window) -> str:
        """A hash of its content, 16 hexadecimal digits."""
        content = json.dumps([unit.token_ids, self.prompts, self.until], separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def failed(self, unit: Window, reason: str) -> Failure:
        """Raises DecodeError: what is not asked for is not known, and an audit cannot do without it."""
        first, last = unit.token_ids[0], unit.token_ids[-1]
        raise DecodeError(f"the model could not be asked for the tokens {first} to {last}: {reason}")

    def to_dict(self) -> dict[str, Any]:
        """The plan as the settings of a header, token ids as spans from the first to the last; `from_dict` reads it."""
        return {"spans": _spans(self.token_ids), "prompts": list(self.prompts), "until": self.until}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "AskingPlan":
        """The plan whose header holds these settings. Raises UsageError where it is that of none."""
        try:
            ids = tuple(i for first, last in saved["spans"] for i in range(first, last + 1))
            return cls(ids, tuple(saved["prompts"]), saved["until"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"these are not the settings of asking: {type(error).__name__} {error}") from None


def _spans(token_ids: Iterable[int]) -> list[list[int]]:
    """Runs of ascending ids, each by its first and its last.

    >>> _spans([0, 1, 2, 7, 6])
    [[0, 2], [7, 7], [6, 6]]
    """
    found: list[list[int]] = []
    for token_id in token_ids:
        if found and found[-1][1] == token_id - 1:
            found[-1][1] = token_id
        else:
            found.append([token_id, token_id])
    return found


def every_token(elicitor: Elicitor) -> AskingPlan:
    """The plan that asks for a whole vocabulary, in the order of ids, which is the same on every machine."""
    return AskingPlan(tuple(range(elicitor.engine.model.vocabulary.size)), tuple(elicitor.prompts))


Answers = Generator[Asked, None, None]
Ask = Callable[[AskingPlan], Answers]
"""What asks for the windows of a plan, in any order; windows are begun as their answers are taken."""


def ask(elicitor: Elicitor, plan: AskingPlan, units: Iterable[Window] | None = None) -> Answers:
    """An Asked for each window; all of the plan's without `units`. Raises ModelError and DecodeError."""
    for window in plan.units() if units is None else units:
        yield _record(plan, window, list(elicitor.ask(window.token_ids, plan.until)))


def on_engine(engine: Engine, plan: AskingPlan, units: Iterable[Window]) -> Answers:
    """The same by a model that has not been asked yet, with the prompts of the plan's names."""
    return ask(Elicitor(engine, elicitation_prompts.chosen(engine.model, plan.prompts)), plan, units)


def in_order(records: Answers) -> Generator[list[Answer], None, None]:
    """The answers of window after window, in the order of the plan. Closed early, it has no further window begun."""
    waiting: dict[int, Asked] = {}
    due = 0
    with contextlib.closing(records):
        for record in records:
            waiting[record.sequence] = record
            while due in waiting:
                yield answers(waiting.pop(due))
                due += 1


def answers(record: Asked) -> list[Answer]:
    """What was kept, as it was found."""
    found: list[Answer] = []
    for place, token_id in enumerate(record.token_ids):
        said = {
            name: Said(p, rank)
            for name, values in record.probabilities.items()
            if (p := values[place]) is not None and (rank := record.ranks[name][place]) is not None
        }
        found.append(Answer(token_id, said))
    return found


def _record(plan: AskingPlan, window: Window, found: Sequence[Answer]) -> Asked:
    said = {name: [answer.said.get(name) for answer in found] for name in plan.prompts}

    def each(figure: str) -> dict[str, Any]:
        return {name: tuple(one and getattr(one, figure) for one in ones) for name, ones in said.items()}

    return Asked(
        sequence=window.number, token_ids=window.token_ids,
        probabilities=each("probability"), ranks=each("rank"),
        unit=plan.key(window),
    )  # fmt: skip
