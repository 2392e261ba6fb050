"""One next-token distribution as a physical system, over the whole axis of beta from -inf through 0 to +inf.

With energies `E_i = -z_i` (logits in nats), `<>` the mean at beta and V the tokens that are not masked:

    ln Z = logsumexp(beta z)    U = -<z>    S = ln Z - beta <z>    C = beta² Var(z)    dS/dbeta = -beta Var(z)

S is ln V at beta = 0 and falls on both sides, to the logarithm of the number of tokens tied at the extreme. U falls all
the way, from -min z at -inf to -max z at +inf. So each question asked here has one answer on each side, or none.

The dominant token is the most probable one: the argmax of the logits at any beta > 0 and the argmin at any beta < 0,
however small beta is. Within one distribution it changes once, at beta = 0, where all tokens are equally probable. What
changes gradually is its share: `half_share_beta` is the beta from which on it holds half of the probability. From one
position of a text to the next the dominant tokens change as the logits do. (Records call them `rulers`.)

S need not fall evenly. Where a cluster of tokens lies apart at one end of the logits, S first falls to the logarithm of
their number, stays there, and falls again when the cluster itself is resolved: C has two peaks and a dip between them,
the plateau (in records: `shelf`). exp(S) there counts the cluster: below zero, the tokens that the model holds equally
impossible.

All of it is exact float64 sums over the whole vocabulary; nothing is sampled or interpolated. It leaves out the view
and the choice of betas (`axis`); `boltzmann` is the same for one beta, and for many distributions.

Source: textbook statistical mechanics (Landau & Lifshitz, Statistical Physics, sections 31 and 73).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from negtemp.theory import axis

Array = NDArray[np.float64]
Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)

_BLOCK = 1 << 20  # float64 values at a time: a large vocabulary must not cost a gigabyte
_PRECISION = 1e-12


@dataclass(frozen=True, slots=True)
class Curves:
    """The state at each beta, every field `[betas]`; entropy, energy in nats, heat capacity without unit.

    log_z          infinite at beta = ±inf unless the extreme logit is 0
    heat_capacity  0 at beta = 0 and ±inf
    probability    of the most probable token, or of each of those tied for it
    """

    log_z: Array
    entropy: Array
    energy: Array
    heat_capacity: Array
    probability: Array


def allowed(logits: ArrayLike) -> Array:
    """The logits `[V]` of the tokens that are not masked, float64."""
    z = np.asarray(logits, dtype=np.float64)
    return np.asarray(z[np.isfinite(z)])


def curves(logits: ArrayLike, betas: Sequence[float]) -> Curves:
    """S, U, C and the rest of logits `[vocab]`, at least one of them finite, at each beta, ±inf among them."""
    z, beta = allowed(logits), np.asarray(betas, dtype=np.float64)
    columns = np.empty((5, len(beta)))
    rows = max(1, _BLOCK // len(z))
    for start in range(0, len(beta), rows):
        columns[:, start : start + rows] = _block(z, beta[start : start + rows])
    return Curves(*columns)


def _block(z: Array, beta: Array) -> Array:
    """The five fields of `Curves` for a few betas, `[5, betas]`, measured from the token that each favours most."""
    leaders = np.where(beta >= 0, z.argmax(), z.argmin())
    extreme = z[leaders]
    distance = z - extreme[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        weight = np.exp(np.where(distance == 0, 0.0, beta[:, None] * distance))
    # the leader's own weight of 1 is added last: what the others hold keeps all its digits, however little it is
    weight[np.arange(len(beta)), leaders] = 0.0
    others = weight.sum(axis=1)
    total = 1.0 + others
    mean = (weight * distance).sum(axis=1) / total
    spread = ((distance - mean[:, None]) ** 2 * weight).sum(axis=1) / total + mean**2 / total
    finite = np.where(np.isinf(beta), 0.0, beta)
    with np.errstate(over="ignore", invalid="ignore"):
        at_extreme = np.where(extreme == 0, 0.0, beta * extreme)
    return np.stack(
        [
            at_extreme + np.log1p(others),
            np.log1p(others) - finite * mean,
            -(extreme + mean),
            (finite * np.sqrt(spread)) ** 2,
            1.0 / total,
        ]
    )


def plateau_beta(logits: ArrayLike, sign: Sign) -> float | None:
    """The beta of this sign, nearest to 0, where C has a minimum between two maxima; None where C has but one.

    Looked for at every place of the axis's default grid, then narrowed to six digits.
    """
    z = allowed(logits)
    betas = [sign * beta for beta in axis.grid() if 0 < beta < math.inf]
    capacity = curves(z, betas).heat_capacity
    inner = (capacity[1:-1] < capacity[:-2]) & (capacity[1:-1] < capacity[2:])
    if not inner.any():
        return None
    dip = int(np.argmax(inner)) + 1
    return _least_capacity(z, betas[dip - 1], betas[dip + 1])


def _least_capacity(z: Array, near: float, far: float) -> float:
    """Where C is least between two betas around one minimum: golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    while abs(far - near) > 1e-6 * abs(far):
        low, high = far - ratio * (far - near), near + ratio * (far - near)
        capacity = curves(z, [low, high]).heat_capacity
        near, far = (near, high) if capacity[0] < capacity[1] else (low, far)
    return (near + far) / 2


def ties(logits: ArrayLike, sign: Sign) -> int:
    """How many tokens share the extreme logit that this sign of beta favours: S falls to the logarithm of it."""
    z = allowed(logits)
    return int(np.count_nonzero(z == (z.max() if sign > 0 else z.min())))


def favoured(logits: ArrayLike, sign: Sign, count: int) -> list[int]:
    """Ids of the `count` unmasked tokens that this sign of beta favours most, the dominant one first, ties by id."""
    z = np.asarray(logits, dtype=np.float64)
    order = np.argsort(-sign * z, kind="stable")
    return [int(token_id) for token_id in order[np.isfinite(z[order])][:count]]


def half_entropy_beta(logits: ArrayLike, sign: Sign) -> float | None:
    """The beta of this sign at which S = ln(V)/2, to 12 digits.

    None where S never falls so far, because the ties at the extreme are at least the square root of V, or only beyond
    the largest float64.

    >>> round(half_entropy_beta([0.0, 1.0], 1), 3)
    2.09
    """
    z = allowed(logits)
    target = math.log(len(z)) / 2
    if ties(z, sign) ** 2 >= len(z):
        return None
    return _crossing(z, sign, lambda state: bool(state.entropy[0] <= target))


def half_share_beta(logits: ArrayLike, sign: Sign) -> float | None:
    """The beta of this sign from which on the ruling token holds at least half of the probability, to 12 digits.

    0 for one or two tokens; None where another token ties with it, or only beyond the largest float64.
    """
    z = allowed(logits)
    if len(z) == 1 or (len(z) == 2 and z[0] != z[1]):
        return 0.0
    if ties(z, sign) > 1:
        return None
    return _crossing(z, sign, lambda state: bool(state.probability[0] >= 0.5))


def _crossing(z: Array, sign: Sign, reached: Callable[[Curves], bool]) -> float | None:
    """The beta of this sign nearest to 0 at which `reached` holds, for what holds from some beta on: bisection."""

    def holds(size: float) -> bool:
        return reached(curves(z, [sign * size]))

    near, far = 0.0, min(1 / float(np.ptp(z)), 1e300)
    while not holds(far):
        near, far = far, far * 2
        if math.isinf(far):
            return None
    while far - near > _PRECISION * far:
        middle = near + (far - near) / 2
        near, far = (near, middle) if holds(middle) else (middle, far)
    return sign * far


def density(logits: ArrayLike, bins: int) -> tuple[Array, NDArray[np.int64]]:
    """A histogram of the unmasked logits: edges `[bins + 1]` in nats, lowest to highest, and counts `[bins]`."""
    z = allowed(logits)
    low, high = float(z.min()), float(z.max())
    room = 2 * bins * float(np.spacing(max(abs(low), abs(high))))
    if high - low < room:  # all but equal: no float64 lies between them to be an edge
        margin = max(0.5, room)
        low, high = low - margin, high + margin
    counts, edges = np.histogram(z, bins, (low, high))
    return edges, counts
