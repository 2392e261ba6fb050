"""Thermal indicators: what a token's mean probability over many contexts says, all along the temperature axis.

In training the logit of a token that never occurs is pushed down in every context, so such tokens rule where beta is
negative. With `<>` the mean over contexts and `z` the logits of one context, less their mean,

    thermal_plus_1       -ln <p at beta = +1>           nats
    thermal_plus_half    -ln <p at beta = +1/2>         nats
    mean_logit           -<z>                           nats; the limit beta -> 0⁻, which ranks as `<p>` does to first
                                                        order: p = (1 + beta z + O(beta²)) / V
    thermal_minus_half   +ln <p at beta = -1/2>         nats
    thermal_minus_1      +ln <p at beta = -1>           nats
    argmin_frequency     the limit beta -> -inf: share of contexts in which the token is the least likely; ties share

Each is oriented so that a higher score is more suspect. A mean probability below 1e-300 counts as that. Everything is
summed as contexts stream by: memory is linear in the vocabulary, whatever their number. Soft-caps, logit scales and a
bias of the head are in the logits already. It leaves out where contexts come from (`experiments.contexts`) and what the
weights say (`indicators`).

Source: theory/boltzmann.py for p; the reason for it is section 2.2 of Land & Bartolo (arXiv 2405.05417); the indicators
are ours.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NAMES = (
    "thermal_plus_1", "thermal_plus_half", "mean_logit", "thermal_minus_half", "thermal_minus_1", "argmin_frequency",
)  # fmt: skip

_MEANS = {"thermal_plus_1": -1, "thermal_plus_half": -1, "thermal_minus_half": 1, "thermal_minus_1": 1}
_LEAST = 1e-300
_WIDE = 80.0


class ThermalSums:
    """Running sums over contexts."""

    def __init__(self, vocab: int) -> None:
        self.contexts = 0
        self._counted = np.zeros(vocab, np.int64)
        self._sums = {name: np.zeros(vocab) for name in NAMES}

    def add(self, logits: NDArray[np.floating]) -> None:
        """Take in the logits of some contexts, `[contexts, vocab]`.

        A logit that is not finite is a mask: the token has probability 0 there, and its mean logit is over the other
        contexts. A context without one finite logit counts nowhere.
        """
        for row in logits:  # one after the other: a row and its exponentials stay in the cache
            allowed = np.isfinite(row)
            if allowed.all():
                self._counted += 1
                self._add_row(row)
            elif allowed.any():
                self._counted += allowed
                self._add_row(row, allowed)

    def _add_row(self, row: NDArray[np.floating], allowed: NDArray[np.bool_] | None = None) -> None:
        """One context, all of whose logits count or those `allowed`."""
        self.contexts += 1
        where = slice(None) if allowed is None else allowed
        z = row[where]
        high, low = z.max(), z.min()
        # beyond 80 nats float32 loses what float64 still holds
        z = np.asarray(z, np.float64 if row.dtype != np.float32 or float(high) - float(low) > _WIDE else np.float32)
        upright, inverted = np.exp(z - high), np.exp(low - z)
        self._sums["thermal_plus_1"][where] += _share(upright)
        self._sums["thermal_plus_half"][where] += _share(np.sqrt(upright, out=upright))
        self._sums["mean_logit"][where] += z - z.mean(dtype=np.float64).astype(z.dtype)
        self._sums["thermal_minus_1"][where] += _share(inverted)
        self._sums["thermal_minus_half"][where] += _share(np.sqrt(inverted, out=inverted))
        self._sums["argmin_frequency"][where] += _share((z == low).astype(np.float32))

    def indicators(self) -> dict[str, Array]:
        """The means by name, `[vocab]` each; NaN for a token that is masked in every context."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self._counted > 0, 1.0 / self.contexts if self.contexts else np.nan, np.nan)
            found = {name: sign * np.log(np.maximum(self._sums[name] * share, _LEAST)) for name, sign in _MEANS.items()}
            found["mean_logit"] = -self._sums["mean_logit"] / self._counted
            found["argmin_frequency"] = self._sums["argmin_frequency"] * share
        return {name: found[name] for name in NAMES}


def _share(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Weights `[vocab]` over their sum, which is taken in float64."""
    return np.asarray(weights / weights.dtype.type(weights.sum(dtype=np.float64)))
