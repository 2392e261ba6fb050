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
        z = np.asarray(logits, dtype=np.float64)
        allowed = np.isfinite(z)
        self.contexts += int(allowed.any(axis=1).sum())
        self._counted += allowed.sum(axis=0)
        high = np.where(allowed, z, -np.inf).max(axis=1, keepdims=True)
        low = np.where(allowed, z, np.inf).min(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # what is not finite is left out in the next step
            upright = np.exp(np.where(allowed, z - high, -np.inf))
            inverted = np.exp(np.where(allowed, low - z, -np.inf))
        self._sums["thermal_plus_1"] += _shares(upright).sum(axis=0)
        self._sums["thermal_plus_half"] += _shares(np.sqrt(upright)).sum(axis=0)
        self._sums["mean_logit"] += _centred(z, allowed).sum(axis=0)
        self._sums["thermal_minus_half"] += _shares(np.sqrt(inverted)).sum(axis=0)
        self._sums["thermal_minus_1"] += _shares(inverted).sum(axis=0)
        self._sums["argmin_frequency"] += _shares((z == low) & allowed).sum(axis=0)

    def indicators(self) -> dict[str, Array]:
        """The means by name, `[vocab]` each; NaN for a token that is masked in every context."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self._counted > 0, 1.0 / self.contexts if self.contexts else np.nan, np.nan)
            found = {name: sign * np.log(np.maximum(self._sums[name] * share, _LEAST)) for name, sign in _MEANS.items()}
            found["mean_logit"] = -self._sums["mean_logit"] / self._counted
            found["argmin_frequency"] = self._sums["argmin_frequency"] * share
        return {name: found[name] for name in NAMES}


def _shares(weights: NDArray[np.floating] | NDArray[np.bool_]) -> Array:
    """Each row over its sum, `[contexts, vocab]`; a row of zeros stays one."""
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.where(total > 0, total, 1))


def _centred(z: Array, allowed: NDArray[np.bool_]) -> Array:
    """Logits less the mean of what is not masked, `[contexts, vocab]`; 0 where masked."""
    finite = np.where(allowed, z, 0.0)
    means = finite.sum(axis=1, keepdims=True) / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    return np.where(allowed, finite - means, 0.0)
