"""What does the model say at one temperature?

Prompts are decoded one after the other, each alone in its batch, so a completion does not depend on its neighbours.
It leaves out comparison (`compare`), where the batch is the point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine, Request, check
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature


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
