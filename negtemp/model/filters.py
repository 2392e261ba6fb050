"""What may be drawn before temperature has its say, and the seed: plain values, checked. `sampler` builds them in C."""

import math
from dataclasses import dataclass

from negtemp.errors import UsageError

_LOWEST_SEED, _HIGHEST_SEED = 0, 2**32 - 2  # upstream reads 2**32 - 1 as "random"


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be drawn at all, before temperature. The defaults switch every filter off.

    mask: token ids of probability 0 at every temperature.
    """

    mask: tuple[int, ...] = ()
    repeat_penalty: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError for a value outside its range."""
        for name, value, lowest, highest in (
            ("--repeat-penalty", self.repeat_penalty, 0.0, math.inf),
            ("--top-k", self.top_k, 0, math.inf),
            ("--top-p", self.top_p, 0.0, 1.0),
            ("--min-p", self.min_p, 0.0, 1.0),
        ):
            if not lowest <= value <= highest or (value == 0 and name == "--repeat-penalty") or math.isinf(value):
                raise UsageError(f"{name} is {value}; give a number from {lowest:g} to {highest:g}")

    @property
    def active(self) -> bool:
        """Whether any token may be left out or moved before temperature."""
        return self != Filters()


def check_seed(seed: int) -> int:
    """The seed, or UsageError where it does not fit 32 bits."""
    if not _LOWEST_SEED <= seed <= _HIGHEST_SEED:
        raise UsageError(f"seed {seed} is out of range; give a whole number from {_LOWEST_SEED} to {_HIGHEST_SEED}")
    return seed
