"""The temperature axis: T and beta, their ends and their zeros."""

import math

import pytest

from negtemp.errors import UsageError
from negtemp.theory.temperature import Temperature


@pytest.mark.parametrize(
    ("made", "temperature", "beta"),
    [
        (Temperature.of(-0.001), -0.001, -1000.0),
        (Temperature.of(0.0), 0.0, math.inf),
        (Temperature.of(-0.0), 0.0, math.inf),
        (Temperature.of(-math.inf), math.inf, 0.0),
        (Temperature.of_beta(-math.inf), -0.0, -math.inf),
        (Temperature.of_beta(math.inf), 0.0, math.inf),
        (Temperature.of_beta(-0.0), math.inf, 0.0),
        (Temperature.of_beta(-4.0), -0.25, -4.0),
        (Temperature.of(-5e-324), -5e-324, -math.inf),
    ],
)
def test_temperature_axis(made: Temperature, temperature: float, beta: float) -> None:
    assert (made.temperature, made.beta) == (temperature, beta)
    assert math.copysign(1, made.temperature) == math.copysign(1, temperature)


@pytest.mark.parametrize("make", [Temperature.of, Temperature.of_beta])
def test_nan_is_refused(make: type) -> None:
    with pytest.raises(UsageError, match="NaN"):
        make(math.nan)
