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
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any

from negtemp.errors import PromptError, UsageError
from negtemp.experiments.settings import PROMPT, Settings
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

    def units(self) -> Iterator[Unit]:
        """Every unit, prompt by prompt."""
        places = itertools.count()
        for prompt, seed in product(self.prompts, self.seeds):
            for repeat in range(self.repeats):  # product() would hold them all
                for temperature in self.temperatures:
                    yield Unit(next(places), prompt, temperature, seed, repeat)


def sweep(
    engine: Engine, plan: SweepPlan, shape: BatchShape, finished: Container[str] = ()
) -> Iterator[Step | Completion | Failure]:
    """A Completion or a Failure for every unit whose key is not `finished`, in order of completion.

    With `plan.steps`, a unit's Steps come together, right before its Completion. Raises DecodeError.
    """
    prompts = tokenized(engine.model.vocabulary, plan)
    under_way: dict[int, Unit] = {}
    steps: dict[int, list[Step]] = {}
    yield from _unreadable(plan, prompts, finished)
    for record in engine.stream(_requests(engine, plan, prompts, finished, under_way), shape):
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


def _unreadable(plan: SweepPlan, prompts: Tokenized, finished: Container[str]) -> Iterator[Failure]:
    """Failures of the units whose prompt cannot be tokenized."""
    if not any(isinstance(found, PromptError) for found in prompts.values()):
        return
    for unit in plan.units():
        problem, key = prompts[unit.prompt], unit.key(plan.settings)
        if isinstance(problem, PromptError) and key not in finished:
            yield Failure(
                sequence=unit.number, prompt=unit.prompt, temperature=unit.temperature, seed=unit.seed,
                reason=str(problem), unit=key, run_seed=unit.run_seed, repeat=unit.repeat,
            )  # fmt: skip


def _requests(
    engine: Engine, plan: SweepPlan, prompts: Tokenized, finished: Container[str], under_way: dict[int, Unit]
) -> Iterator[Request]:
    """Requests for the other units, each noted in `under_way`."""
    settings = plan.settings
    filters, ctx_size = settings.filters(engine.model.vocabulary), _context(engine, plan)
    most = settings.tokens(ctx_size)
    for unit in plan.units():
        ids = prompts[unit.prompt]
        if isinstance(ids, PromptError) or unit.key(settings) in finished:
            continue
        under_way[unit.number] = unit
        yield Request(unit.number, unit.prompt, ids, unit.temperature, unit.seed, most, ctx_size, filters)


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


def forecast(engine: Engine, plan: SweepPlan, shape: BatchShape, finished: int = 0) -> Forecast:
    """Time and memory expected, from a trial of a few steps. Raises DecodeError."""
    left = len(plan) - finished
    most = plan.settings.tokens(_context(engine, plan))
    tokens = left * most
    model = engine.model
    logits = 4 * model.vocabulary.size * shape.sequences(256)
    steps = math.ceil(left / shape.slots) * most
    return Forecast(
        units=len(plan), finished=finished, sequences=shape.slots, tokens=tokens,
        memory=model.path.stat().st_size + cache_bytes(model, shape.cells) + logits,
        seconds=_seconds_a_step(engine, plan, shape) * steps if left else 0.0,
    )  # fmt: skip


def _seconds_a_step(engine: Engine, plan: SweepPlan, shape: BatchShape) -> float:
    """Seconds between the first and the last of a few steps, of all slots, drawing and statistics among them."""
    settings = replace(
        plan.settings, n_predict=min(_TRIAL_TOKENS, plan.settings.tokens(_TRIAL_TOKENS)), ignore_eos=True
    )
    trial = replace(plan, settings=settings, seeds=tuple(range(shape.slots)), steps=False)
    prompts = tokenized(engine.model.vocabulary, trial)
    asked = (r for r, _ in zip(_requests(engine, trial, prompts, (), {}), range(shape.slots), strict=False))
    drawn: dict[int, list[float]] = {}
    for record in engine.stream(asked, shape):
        if isinstance(record, Step):
            drawn.setdefault(record.position, []).append(time.perf_counter())
    if len(drawn) < 2:
        return engine.timing.seconds(engine.timing.rows(shape.slots))
    return (drawn[max(drawn)][-1] - drawn[0][-1]) / max(drawn)
