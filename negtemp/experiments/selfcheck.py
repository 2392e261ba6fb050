"""Does a whole generation obey the sign of T? The check that `doctor` runs on the bundled model.

At T = ±0.001 every emitted token must be the extreme one that the sign asks for, unless the choice hung on rounding.
"""

from negtemp.errors import DecodeError
from negtemp.experiments.compare import TEMPERATURES, compare
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.engine import Engine
from negtemp.records import Step

_TOKENS = 16
_ROUNDING_NATS = 0.01


def check_path(engine: Engine) -> str:
    """One line that says what was checked. Raises DecodeError where a token is not the extreme one."""
    settings = Settings(n_predict=_TOKENS, ignore_eos=True)
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
