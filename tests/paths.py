"""What `negtemp run` gives, as far as another front end of llama.cpp must give it too."""

import itertools
from typing import Any

from negtemp.experiments.generate import generate
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine import Engine
from negtemp.records import Step
from negtemp.theory.temperature import Temperature

TOKENS = 12
# another batch shape moves the last bits of the logits; below this gap a token may differ
CLOSE_NATS = 0.01


def expected(engine: Engine, temperature: float, prompt: str = PROMPT, **settings: Any) -> list[Step]:
    """The steps of `negtemp run`, up to the first whose choice hangs on rounding or that front ends do not show."""
    at, options = Temperature.of(temperature), Settings(n_predict=TOKENS, ignore_eos=True, **settings)
    steps = [record for record in generate(engine, [prompt], at, 1, options) if isinstance(record, Step)]
    control = engine.model.vocabulary.in_categories(["control"])
    return list(itertools.takewhile(lambda step: step.gap > CLOSE_NATS and step.token_id not in control, steps))
