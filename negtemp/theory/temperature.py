"""One point of the temperature axis, named by T and by beta = 1/T.

    T       +0     > 0    ±inf   < 0    limit 0⁻
    beta    +inf   > 0    0      < 0    -inf
            greedy        uniform       antigreedy

beta is the smooth axis: a sweep runs through 0 and never jumps. It leaves out what happens there (`boltzmann`), and so
needs no numpy.
"""

import math
from dataclasses import dataclass

from negtemp.errors import UsageError


@dataclass(frozen=True, slots=True)
class Temperature:
    """One point of the temperature axis, held as both T and beta so that the value typed is the value shown.

    Greedy is (0.0, +inf), antigreedy (-0.0, -inf), uniform (inf, 0.0). Make one by `of` or `of_beta`.
    """

    temperature: float
    beta: float

    @classmethod
    def of(cls, temperature: float) -> "Temperature":
        """From T. Zero of either sign is greedy; an infinite T of either sign is uniform.

        >>> Temperature.of(-0.001).beta
        -1000.0

        Raises UsageError for NaN.
        """
        if math.isnan(temperature):
            raise UsageError("a temperature cannot be NaN; give a number such as -0.001")
        if temperature == 0:
            return GREEDY
        if math.isinf(temperature):
            return UNIFORM
        return cls(temperature, _inverse(temperature))

    @classmethod
    def of_beta(cls, beta: float) -> "Temperature":
        """From beta = 1/T. Plus infinity is greedy, minus infinity antigreedy, zero uniform.

        Raises UsageError for NaN.
        """
        if math.isnan(beta):
            raise UsageError("an inverse temperature cannot be NaN; give a number such as -1000, inf or -inf")
        if beta == 0:
            return UNIFORM
        if math.isinf(beta):
            return GREEDY if beta > 0 else ANTIGREEDY
        return cls(_inverse(beta), beta)


def _inverse(value: float) -> float:
    """1/value, infinite with the sign of value where a subnormal overflows; `value` is not 0."""
    return 1.0 / value


GREEDY = Temperature(0.0, math.inf)
ANTIGREEDY = Temperature(-0.0, -math.inf)
UNIFORM = Temperature(math.inf, 0.0)
