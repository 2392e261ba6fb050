"""The beta axis as it is drawn: linear near 0, logarithmic beyond on both sides, through 0 without a jump.

    position(beta) = beta / LINEAR                             where |beta| <= LINEAR
                   = sign(beta) (1 + log10(|beta| / LINEAR))   beyond: one unit a decade

It is what plotting libraries call symlog. It leaves out what happens at a beta (`thermodynamics`) and needs no numpy.
"""

import math

LINEAR = 0.01
LARGEST = 1000.0
_STEPS_A_UNIT = 10


def position(beta: float) -> float:
    """Where a beta stands on the axis; ±inf where beta is.

    >>> [round(position(beta), 3) for beta in (-1.0, -0.01, 0.0, 0.005, 1000.0)]
    [-3.0, -1.0, 0.0, 0.5, 6.0]
    """
    size = abs(beta) / LINEAR
    return math.copysign(size if size <= 1 else 1 + math.log10(size), beta)


def beta_at(place: float) -> float:
    """The beta at a position: the inverse of `position`."""
    size = abs(place)
    return math.copysign(LINEAR * (size if size <= 1 else 10 ** (size - 1)), place)


def grid() -> tuple[float, ...]:
    """The betas to compute by default, ascending: -inf, -1000 … 1000 evenly on the axis, and inf.

    They are rounded to six digits, so that the beta shown is the beta computed.
    """
    steps = round(position(LARGEST) * _STEPS_A_UNIT)
    finite = (float(f"{beta_at(step / _STEPS_A_UNIT):.6g}") for step in range(-steps, steps + 1))
    return (-math.inf, *(beta + 0.0 for beta in finite), math.inf)
