"""Every token's logit profile, its logits over all contexts, kept as a few random projections.

With `z` the logits of one context less their mean, two tokens that training treats alike have the same `z` in every
context. Keeping all of it would take `[vocab, contexts]`; projections on random signs keep what is asked of it, the
root-mean-square difference of two profiles:

    s_ik  = sum over contexts of  r_tk z_ti / sqrt(contexts)             r = +1 or -1, `[contexts, projections]`
    d_ij² = mean over projections of (s_ik - s_jk)²,   whose expectation is   mean over contexts of (z_ti - z_tj)²

so a distance is in nats, has a relative error of about 1 / sqrt(2 projections), 6 % here, and is exactly 0 between
copies. Contexts are dealt to GROUPS in turn and each group has projections of its own, so that a figure can be computed
from each group alone and its spread over contexts is known. Memory is `[vocab, projections]` in float32. It leaves out
what the distances mean (`level`).

Source: Achlioptas 2003 (random projections by signs); Johnson & Lindenstrauss 1984.
"""

import numpy as np
from numpy.typing import NDArray

Profiles = NDArray[np.float32]
Array = NDArray[np.float64]

GROUPS, EACH = 4, 32


class ProfileSums:
    """Running projections over contexts, `[vocab, GROUPS * EACH]`."""

    def __init__(self, vocab: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._values = np.zeros((GROUPS, EACH, vocab), np.float32)
        self._contexts = np.zeros(GROUPS, np.int64)
        self._blocks = 0

    def add(self, logits: NDArray[np.floating]) -> None:
        """Take in the logits of some contexts, `[contexts, vocab]`; one that is not finite counts as the mean."""
        z = np.array(logits, dtype=np.float32)
        allowed = np.isfinite(z)
        z[~allowed] = 0
        counts = np.maximum(allowed.sum(axis=1, keepdims=True), 1)
        z -= (z.sum(axis=1, keepdims=True, dtype=np.float64) / counts).astype(np.float32)
        z[~allowed] = 0
        signs = self._rng.choice(np.array([-1, 1], np.float32), (EACH, len(z)))
        group = self._blocks % GROUPS
        self._values[group] += signs @ z
        self._contexts[group] += len(z)
        self._blocks += 1

    def profiles(self) -> Profiles:
        """The projections, `[vocab, groups * EACH]`, of the groups that have a context; EACH columns a group."""
        used = np.flatnonzero(self._contexts)
        scale = (1 / np.sqrt(self._contexts[used])).astype(np.float32)
        return np.concatenate([self._values[group].T * s for group, s in zip(used, scale, strict=True)], axis=1)


def distances(profiles: Profiles, point: NDArray[np.floating]) -> Array:
    """Root-mean-square difference of every profile from a `point` `[projections]`, `[vocab]`, nats.

    >>> distances(np.array([[3.0, 5.0], [0.0, 0.0]], np.float32), np.array([3.0, 4.0])).round(3).tolist()
    [0.707, 3.536]
    """
    difference = profiles - np.asarray(point, np.float32)
    squares = np.einsum("ij,ij->i", difference, difference)
    return np.asarray(np.sqrt(squares.astype(np.float64) / profiles.shape[1]))
