"""What a decoding step says about the token drawn from it: the inner loop of generation.

For raw logits z `[vocab]` and the token i drawn from them, of the model's own distribution at T = 1,

    logprob = z_i - ln sum exp z     rank = |{j: z_j > z_i}|     entropy = ln Z - <z>

and the gap between the two logits that the sign of beta favours most: near zero means that the choice hangs on
rounding, so that another batch shape or backend may choose otherwise. The formulas are those of `boltzmann`, the
reference that this file is tested against, and sums are float64 here too. What is gained is time: buffers are made
once, since fresh memory for every token costs more than the sums, and float32 is widened only where a sum needs it.
It leaves out the draw, and every other temperature.

Source: `boltzmann`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]
Barred = NDArray[np.integer] | NDArray[np.bool_]


class Observed(NamedTuple):
    """ln p in nats, rank and entropy in nats of a token at T = 1, and the gap in nats."""

    logprob: float
    rank: int
    entropy: float
    gap: float


NOTHING = Observed(math.nan, 0, math.nan, 0.0)


def gap_among(logits: Row, beta: float) -> float:
    """The gap of what can be drawn, any number of finite logits; 0 where there are less than two."""
    if len(logits) < 2 or not beta:
        return 0.0
    first, second = np.partition(logits, 1)[:2] if beta < 0 else np.partition(logits, -2)[-2:]
    return float(second) - float(first)


class Observer:
    """Observes one row of logits after the other, all of one vocabulary. Not for two threads at once."""

    def __init__(self, vocab: int) -> None:
        self._distance = np.empty(vocab)
        self._weight = np.empty(vocab)
        self._reachable = np.empty(vocab, np.float32)
        self._above = np.empty(vocab, np.bool_)

    def observe(self, row: Row, token_id: int, beta: float, barred: Barred | None = None) -> Observed:
        """Of a token drawn at beta from logits `[vocab]`; `barred` (ids, or a mask `[vocab]`) could not be drawn.

        NaN where the logits are no distribution: a NaN or +inf among them, or -inf everywhere.
        """
        lowest, highest = int(row.argmin()), int(row.argmax())
        peak, chosen, masks = float(row[highest]), float(row[token_id]), float(row[lowest]) == -math.inf
        if not math.isfinite(peak):
            return NOTHING
        total, mean_distance = self._sums(row, peak, masks)
        log_total = math.log(total)
        np.greater(row, chosen, self._above)
        gap = self._gap(row, beta, barred, masks) if beta else 0.0
        return Observed(
            chosen - peak - log_total, int(np.count_nonzero(self._above)), log_total - mean_distance / total, gap
        )

    def _sums(self, row: Row, peak: float, masks: bool) -> tuple[float, float]:
        """The sums of w and of w ln w over the vocabulary, w = exp(z - peak); `masks`: some z is -inf."""
        distance = np.subtract(row, peak, self._distance, dtype=np.float64)
        weight = np.exp(distance, self._weight)
        total = float(np.add.reduce(weight))
        if masks:  # 0 * -inf is NaN: a token that the model itself masks adds nothing to the mean
            distance[weight == 0] = 0.0
        # not BLAS, whose threads would fight those of the next decode
        return total, float(np.add.reduce(np.multiply(weight, distance, distance)))

    def _gap(self, row: Row, beta: float, barred: Barred | None, masks: bool) -> float:
        """From the one that beta favours most, of all that can be drawn, to the next; 0 where there is no other."""
        reachable, out_of_reach = self._reachable, math.inf if beta < 0 else -math.inf
        np.copyto(reachable, row)
        if barred is not None:
            reachable[barred] = out_of_reach
        if masks and beta < 0:
            reachable[row == -np.inf] = out_of_reach
        extreme = reachable.argmin if beta < 0 else reachable.argmax
        leader = int(extreme())
        first, reachable[leader] = float(reachable[leader]), out_of_reach
        gap = abs(first - float(reachable[extreme()]))
        return gap if math.isfinite(gap) else 0.0
