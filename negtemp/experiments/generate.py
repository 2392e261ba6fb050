"""What does the model say, at one temperature or at several side by side?

`generate` decodes prompts one after the other, each alone in its batch, so a completion does not depend on its
neighbours. `compare` is the article's experiment: all temperatures of one prompt and seed are decoded in the same
batch, token by token, so they meet the same arithmetic: batch size moves the last bits of the logits, and at
|T| = 0.001 those are multiplied by a thousand. As many prompts and seeds as fit share a batch; the batch shape is what
`width` says. `check_path` compares the bundled model's tokens at T = ±0.001 with the extreme that each sign asks for:
the proof that `doctor` runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from negtemp.errors import DecodeError
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.engine import Engine, Request
from negtemp.model.engine.request import check
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature

TEMPERATURES = (Temperature.of(0.001), Temperature.of(-0.001))
_MOST_SEQUENCES = 16
_CHECKED_TOKENS = 16
_ROUNDING_NATS = 0.01


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """One sequence that an experiment asks for."""

    prompt: str
    temperature: Temperature
    seed: int


def requests(model: Model, specs: Sequence[SequenceSpec], settings: Settings, first: int = 0) -> list[Request]:
    """Engine requests for `specs`, numbered from `first`. Raises PromptError, ModelError and UsageError."""
    filters = settings.filters(model.vocabulary)
    prompts = {spec.prompt: tuple(model.vocabulary.tokenize(spec.prompt)) for spec in specs}
    ctx_size = model.context(settings.ctx_size)
    most = settings.tokens(ctx_size)
    asked = [
        Request(first + i, c.prompt, prompts[c.prompt], c.temperature, c.seed, most, ctx_size, filters)
        for i, c in enumerate(specs)
    ]
    check(asked, model.vocabulary.size)
    return asked


def generate(
    engine: Engine, prompts: Sequence[str], temperature: Temperature, seed: int, settings: Settings
) -> Iterator[Step | Completion]:
    """Steps and a Completion for each prompt, in order. Raises PromptError, UsageError, DecodeError."""
    specs = [SequenceSpec(prompt, temperature, seed) for prompt in prompts]
    for request in requests(engine.model, specs, settings):
        yield from engine.generate([request])


def width(temperatures: int, rows: int) -> int:
    """Sequences decoded together: whole rows of `temperatures`, up to about 16 sequences."""
    return temperatures * min(rows, max(1, _MOST_SEQUENCES // temperatures))


def compare(
    engine: Engine,
    prompts: Sequence[str],
    temperatures: Sequence[Temperature],
    seeds: Sequence[int],
    settings: Settings,
) -> Iterator[Step | Completion]:
    """Steps and Completions of every prompt, seed and temperature; sequences are numbered in that order.

    Raises PromptError, UsageError, DecodeError.
    """
    specs = [SequenceSpec(prompt, t, seed) for prompt, seed, t in product(prompts, seeds, temperatures)]
    plan = requests(engine.model, specs, settings)
    size = width(len(temperatures), len(prompts) * len(seeds))
    for start in range(0, len(plan), size):
        yield from engine.generate(plan[start : start + size])


def check_path(engine: Engine) -> str:
    """One line that says what was checked. Raises DecodeError where a token is not the extreme one."""
    settings = Settings(n_predict=_CHECKED_TOKENS, ignore_eos=True)
    vocab = engine.model.vocabulary.size
    checked = 0
    for step in compare(engine, [PROMPT], TEMPERATURES, [1], settings):
        if isinstance(step, Step):
            masked = len(engine.model.vocabulary.end_tokens)
            extreme = step.rank == 0 if step.sequence == 0 else step.rank >= vocab - 1 - masked
            if not extreme and step.gap > _ROUNDING_NATS:
                raise DecodeError(
                    f"token {step.token_id} of rank {step.rank} is not the extreme one; rebuild with --rebuild"
                )
            checked += 1
    return f"{engine.model.name}: {checked} tokens at T=±0.001, each the extreme that the sign asks for"
