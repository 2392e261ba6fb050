"""What `negtemp run` gives, as far as another front end of llama.cpp must give it too."""

import itertools
from typing import Any

from negtemp.experiments.generate import generate
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.engine import Engine
from negtemp.records import Step
from negtemp.theory.temperature import Temperature

# several, since a path may end before it begins
PROMPTS = (PROMPT, *(f"{PROMPT} {number}" for number in range(1, 5)))
TOKENS = 12
# below this gap a token may differ: another batch shape moves the last bits of the logits
CLOSE_NATS = 1e-3


def expected(
    engine: Engine, temperature: float, prompt: str = PROMPT, close: float = CLOSE_NATS, **settings: Any
) -> list[Step]:
    """The steps of `negtemp run` with seed 1, up to the first whose choice hangs on rounding."""
    at, options = Temperature.of(temperature), Settings(n_predict=TOKENS, ignore_eos=True, **settings)
    steps = [record for record in generate(engine, [prompt], at, 1, options) if isinstance(record, Step)]
    return list(itertools.takewhile(lambda step: step.gap > close, steps))
