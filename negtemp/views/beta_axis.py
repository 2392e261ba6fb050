"""The axis of beta as charts and plots draw it: symmetric-logarithmic through 0, infinities one unit beyond the rest.

Every tick names beta and T = 1/beta. It leaves out the drawing (`charts`, `plots`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from negtemp.theory.axis import position
from negtemp.theory.temperature import Temperature

_TICKS = (0.0, *(sign * 10.0**decade for decade in range(-2, 9, 2) for sign in (-1, 1)))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis and what stands there."""

    place: float
    beta: str
    temperature: str


@dataclass(frozen=True, slots=True)
class BetaAxis:
    """The axis for some betas; it reaches from -`end` to `end`, where the infinities stand."""

    end: float

    @classmethod
    def over(cls, betas: Sequence[float]) -> "BetaAxis":
        """The axis that holds these betas, symmetric whatever they are."""
        finite = [abs(position(beta)) for beta in betas if math.isfinite(beta)]
        return cls(max([1.0, *finite]) + 1.0)

    def place(self, beta: float) -> float:
        """Where a beta stands."""
        return math.copysign(self.end, beta) if math.isinf(beta) else position(beta)

    def holds(self, beta: float) -> bool:
        """Whether a beta lies on the axis."""
        return abs(self.place(beta)) <= self.end

    def ticks(self, crowded: bool = False) -> list[Tick]:
        """Both ends, 0 and every second decade between, from left to right; crowded ones leave 0 some room."""
        inner = [beta for beta in _TICKS if abs(position(beta)) <= self.end - 1]
        if crowded:
            inner = [beta for beta in inner if beta == 0 or abs(position(beta)) > 1]
        return [
            Tick(self.place(beta), f"{beta:g}", _plain(Temperature.of_beta(beta).temperature))
            for beta in sorted([-math.inf, *inner, math.inf])
        ]


def _plain(temperature: float) -> str:
    return "+0" if temperature == 0 and math.copysign(1, temperature) > 0 else f"{temperature:g}"
