"""Prompts × temperatures × seeds × repeats: what does a model say from beta = +1000 through 0 to -1000?

A unit is one completion. Its seed derives from prompt, seed and repeat, not from beta or order, so all temperatures
share their random numbers; its key is a hash of its content, so a unit that is finished is known as such whatever its
place. Units are made one at a time, prompt by prompt, so that a prompt is decoded once and memory does not grow with
their number. It leaves out where the records go (`runs`) and what they add up to (`summary`).
"""

import hashlib
import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from negtemp.errors import PromptError, UsageError
from negtemp.experiments.settings import PROMPT, SETTINGS, Settings
from negtemp.model.engine.engine import BatchShape, Engine, Request
from negtemp.model.engine.request import check_seed
from negtemp.model.llama.context import cache_bytes, free_bytes
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import Completion, Failure, Forecast, Step, number
from negtemp.theory.temperature import Temperature

# a geometric grid symmetric about 0: half a decade a step, from ±1000 down to ±0.0316
BETAS = tuple(sign * float(f"{10 ** (3 - k / 2):.3g}") for sign in (-1, 1) for k in range(10))
TEMPERATURES = tuple(Temperature.of_beta(beta) for beta in sorted((*BETAS, 0.0)))

_MOST_SLOTS = 32
_SHARE_OF_MEMORY = 0.5
_TRIAL_TOKENS = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """One completion that a sweep asks for; `number` is its place in the plan."""

    number: int
    prompt: str
    temperature: Temperature
    run_seed: int
    repeat: int

    @property
    def seed(self) -> int:
        """The seed of its draws: of prompt, run seed and repeat alone."""
        return _digest([self.run_seed, self.prompt, self.repeat]) % (2**32 - 1)

    def key(self, settings: Settings) -> str:
        """A hash of its content, 16 hexadecimal digits."""
        at = [number(self.temperature.temperature), number(self.temperature.beta)]
        return f"{_digest([self.prompt, at, self.run_seed, self.repeat, asdict(settings)]):016x}"


def _digest(content: list[Any]) -> int:
    """64 bits of sha256 over canonical JSON."""
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What to sweep over; a value given twice counts once.

    deterministic  one sequence at a time, so that not even the last bits depend on anything else
    steps          keep each token's record as well
    """

    prompts: tuple[str, ...] = (PROMPT,)
    temperatures: tuple[Temperature, ...] = TEMPERATURES
    seeds: tuple[int, ...] = (1,)
    repeats: int = 1
    settings: Settings = field(default_factory=Settings)
    deterministic: bool = False
    steps: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where there is nothing to do or a seed is out of range."""
        for name in ("prompts", "temperatures", "seeds"):
            values = tuple(dict.fromkeys(getattr(self, name)))
            if not values:
                raise UsageError(f"a sweep over no {name} has nothing to do; give at least one")
            object.__setattr__(self, name, values)
        for seed in self.seeds:
            check_seed(seed)
        if self.repeats < 1:
            raise UsageError(f"`repeats` is {self.repeats}; give a whole number of at least 1")

    def __len__(self) -> int:
        return len(self.prompts) * self.units_per_prompt

    @property
    def units_per_prompt(self) -> int:
        return len(self.temperatures) * len(self.seeds) * self.repeats

    def unit(self, number: int) -> Unit:
        """The unit at a place, counted prompt by prompt, then by seed, repeat and temperature."""
        rest, temperature = divmod(number, len(self.temperatures))
        rest, repeat = divmod(rest, self.repeats)
        prompt, seed = divmod(rest, len(self.seeds))
        return Unit(number, self.prompts[prompt], self.temperatures[temperature], self.seeds[seed], repeat)

    def units(self) -> Iterator[Unit]:
        """Every unit, in the order of their places."""
        return map(self.unit, range(len(self)))

    def key(self, unit: Unit) -> str:
        """A hash of a unit's content, 16 hexadecimal digits."""
        return unit.key(self.settings)

    def failed(self, unit: Unit, reason: str) -> Failure:
        """The record of a unit that cannot be generated."""
        return Failure(
            sequence=unit.number, prompt=unit.prompt, temperature=unit.temperature, seed=unit.seed, reason=reason,
            unit=self.key(unit), run_seed=unit.run_seed, repeat=unit.repeat,
        )  # fmt: skip

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "SweepPlan":
        """The plan of a sweep whose header holds these settings. Raises UsageError where it is that of no sweep."""
        try:
            settings = {name: value for name, value in saved.items() if name in SETTINGS}
            return cls(
                tuple(saved["prompts"]),
                tuple(map(_temperature, saved["temperatures"], saved["betas"])),
                tuple(saved["seeds"]), saved["repeats"], Settings(**settings | {"mask": tuple(settings["mask"])}),
                saved["deterministic"], saved["steps"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"these are not the settings of a sweep: {type(error).__name__} {error}") from None


def _temperature(temperature: float | str, beta: float | str) -> Temperature:
    """A temperature as JSON holds it, both numbers as they were typed."""
    return Temperature(float(temperature), float(beta))


def sweep(
    engine: Engine, plan: SweepPlan, shape: BatchShape, units: Iterable[Unit] | None = None
) -> Iterator[Step | Completion | Failure]:
    """A Completion or a Failure for every one of the plan's `units`, in order of completion; for all without any.

    Units are taken one at a time, as the engine has room. An iterator of them that raises StopIteration has none just
    now; it is asked again as long as others are under way. With `plan.steps`, a unit's Steps come together, right
    before its Completion. Raises DecodeError.
    """
    under_way: dict[int, Unit] = {}
    steps: dict[int, list[Step]] = {}
    requests = _Requests(engine, plan, plan.units() if units is None else units, under_way)
    for record in requests.answered(engine, shape):
        if isinstance(record, Step):
            if plan.steps:
                steps.setdefault(record.sequence, []).append(record)
            continue
        unit = under_way.pop(record.sequence)
        yield from steps.pop(record.sequence, ())
        yield replace(record, unit=unit.key(plan.settings), run_seed=unit.run_seed, repeat=unit.repeat)


Tokenized = dict[str, tuple[int, ...] | PromptError]


def tokenized(vocabulary: Vocabulary, plan: SweepPlan) -> Tokenized:
    """Each prompt's token ids, or why it has none."""

    def attempt(prompt: str) -> tuple[int, ...] | PromptError:
        try:
            return tuple(vocabulary.tokenize(prompt))
        except PromptError as error:
            return error

    return {prompt: attempt(prompt) for prompt in plan.prompts}


class _Requests(Iterator[Request]):
    """Requests for units, each noted in `under_way`; one whose prompt cannot be tokenized is a Failure at once."""

    def __init__(self, engine: Engine, plan: SweepPlan, units: Iterable[Unit], under_way: dict[int, Unit]) -> None:
        self._plan, self._units, self._under_way = plan, iter(units), under_way
        self._prompts = tokenized(engine.model.vocabulary, plan)
        self._filters = plan.settings.filters(engine.model.vocabulary)
        self._context = _context(engine, plan)
        self._unreadable: list[Failure] = []

    def answered(self, engine: Engine, shape: BatchShape) -> Iterator[Step | Completion | Failure]:
        """What the engine yields for these requests, and a Failure for each unit that it cannot be asked for."""
        for record in engine.stream(self, shape):
            yield from self._failures()
            yield record
        yield from self._failures()

    def _failures(self) -> Iterator[Failure]:
        while self._unreadable:
            yield self._unreadable.pop(0)

    def __next__(self) -> Request:
        while True:
            unit = next(self._units)
            self._under_way[unit.number] = unit
            ids = self._prompts[unit.prompt]
            if not isinstance(ids, PromptError):
                return self._request(unit, ids)
            self._unreadable.append(self._plan.failed(unit, str(ids)))

    def _request(self, unit: Unit, ids: tuple[int, ...]) -> Request:
        most = self._plan.settings.tokens(self._context)
        return Request(unit.number, unit.prompt, ids, unit.temperature, unit.seed, most, self._context, self._filters)


def _context(engine: Engine, plan: SweepPlan) -> int:
    return engine.model.context(plan.settings.ctx_size)


def batch_shape(engine: Engine, plan: SweepPlan, parallel: int | None = None) -> BatchShape:
    """How to batch a plan: as many sequences as give the most tokens a second here and fit into half the free memory.

    `parallel` decides instead, and `plan.deterministic` means one.
    """
    context = _context(engine, plan)
    found = tokenized(engine.model.vocabulary, plan).values()
    lengths = sorted((len(ids) for ids in found if not isinstance(ids, PromptError)), reverse=True)
    fitting = [length for length in lengths if length < context]
    if plan.deterministic or parallel is not None:
        return _batch_shape(engine, plan, fitting, 1 if plan.deterministic else min(parallel or 1, len(plan)))
    slots, most = engine.timing.best(min(_MOST_SLOTS, len(plan))), _SHARE_OF_MEMORY * free_bytes()
    while slots > 1 and cache_bytes(engine.model, _batch_shape(engine, plan, fitting, slots).cells) > most:
        slots //= 2
    return _batch_shape(engine, plan, fitting, slots)


def _batch_shape(engine: Engine, plan: SweepPlan, lengths: Sequence[int], slots: int) -> BatchShape:
    """Cells for the slots' growth, and for the longest prompts that can be live at once."""
    live = math.ceil(slots / plan.units_per_prompt) + 1
    context = _context(engine, plan)
    most = plan.settings.tokens(context)
    growth = max((min(context - length, most) for length in lengths), default=1)
    longest = min(context, max(lengths, default=0) + most)
    return engine.batch_shape(slots, sum(lengths[:live]) + slots * growth, longest, plan.deterministic)


def forecast(
    engine: Engine, plan: SweepPlan, shape: BatchShape, finished: int = 0, units: int | None = None, engines: int = 1
) -> Forecast:
    """Time and memory expected of `units`, or of all, on so many engines, from a trial of a few steps.

    Engines beside this one are taken to be as fast: true of one to a device. Raises DecodeError.
    """
    units = len(plan) if units is None else units
    left = units - finished
    most = plan.settings.tokens(_context(engine, plan))
    tokens = left * most
    model = engine.model
    logits = 4 * model.vocabulary.size * shape.sequences(256)
    sequences = shape.slots * engines
    steps = math.ceil(left / sequences) * most
    return Forecast(
        units=units, finished=finished, sequences=sequences, tokens=tokens,
        memory=model.path.stat().st_size + engines * (cache_bytes(model, shape.cells) + logits),
        seconds=_seconds_a_step(engine, plan, shape) * steps if left else 0.0,
    )  # fmt: skip


def _seconds_a_step(engine: Engine, plan: SweepPlan, shape: BatchShape) -> float:
    """Seconds between the first and the last of a few steps, of all slots, drawing and statistics among them."""
    settings = replace(
        plan.settings, n_predict=min(_TRIAL_TOKENS, plan.settings.tokens(_TRIAL_TOKENS)), ignore_eos=True
    )
    trial = replace(plan, settings=settings, seeds=tuple(range(shape.slots)), steps=False)
    asked = itertools.islice(_Requests(engine, trial, trial.units(), {}), shape.slots)
    drawn: dict[int, list[float]] = {}
    for record in engine.stream(asked, shape):
        if isinstance(record, Step):
            drawn.setdefault(record.position, []).append(time.perf_counter())
    if len(drawn) < 2:
        return engine.timing.seconds(engine.timing.rows(shape.slots))
    return (drawn[max(drawn)][-1] - drawn[0][-1]) / max(drawn)
