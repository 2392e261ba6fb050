"""The same prompt at several temperatures, side by side: the article's experiment.

All temperatures of one prompt and seed are decoded in the same batch, token by token, so they meet the same arithmetic:
batch size moves the last bits of the logits, and at |T| = 0.001 those are multiplied by a thousand. As many prompts and
seeds as fit share a batch; the batch shape is what `width` says.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from negtemp.experiments.generate import SequenceSpec, requests
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature

TEMPERATURES = (Temperature.of(0.001), Temperature.of(-0.001))
_MOST_SEQUENCES = 16


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
