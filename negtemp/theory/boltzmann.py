"""A softmax as a Boltzmann distribution at any temperature, of either sign.

A language model's last layer gives logits `z` in nats; with the energy of a token `E_i = -z_i` and the inverse
temperature `beta = 1/T`,

    p_i = exp(beta z_i) / Z        ln Z = logsumexp(beta z)
    U   = -<z>                     S = ln Z - beta <z>          C = beta^2 Var(z)

with `<>` the mean under p. The state space is finite, so beta may be negative: then the least likely token leads.
A logit of -inf marks a masked token; its probability is 0 at every temperature, above and below zero.

This module is the specification of `patches/`: the compiled sampler is tested against it, never the other way round.
All of it is float64 and works on the last axis, so `logits` may be `[vocab]` or `[..., vocab]`. It leaves out every
other sampler (top-k, penalties) and the random draw itself.

Source: textbook statistical mechanics (Landau & Lifshitz, Statistical Physics, sections 28, 31 and 73 on negative
temperature); the experiment is https://cavendishlabs.org/blog/negative-temperature (2023).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def log_probabilities(logits: ArrayLike, beta: float = 1.0) -> Array:
    """ln p of every token at inverse temperature beta, `[..., vocab]` in nats; -inf where masked.

    At beta = ±inf the tokens tied at the extreme share the probability. If every token is masked, all are -inf.

    >>> np.exp(log_probabilities([0.0, np.log(3.0), -np.inf], beta=-1.0)).round(2).tolist()
    [0.75, 0.25, 0.0]
    """
    z = np.asarray(logits, dtype=np.float64)
    allowed = np.isfinite(z)
    exponent = np.where(allowed, _exponents(z, allowed, beta), -np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_z = np.log(np.exp(exponent).sum(axis=-1, keepdims=True))
        return np.where(allowed, exponent - log_z, -np.inf)


def _exponents(z: Array, allowed: NDArray[np.bool_], beta: float) -> Array:
    """beta (z - z_extreme), at most 0: the extreme is the token that beta favours, so nothing overflows."""
    if beta >= 0:
        extreme = np.max(z, axis=-1, keepdims=True, initial=-np.inf, where=allowed)
    else:
        extreme = np.min(z, axis=-1, keepdims=True, initial=np.inf, where=allowed)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(allowed, z - extreme, 0.0)
        # 0 * inf is NaN: the extreme itself has exponent 0 even at an infinite beta
        return np.where(distance == 0.0, 0.0, beta * distance)


def probabilities(logits: ArrayLike, beta: float = 1.0) -> Array:
    """p of every token at inverse temperature beta, `[..., vocab]`; 0 where masked."""
    return np.exp(log_probabilities(logits, beta))


def entropy(logits: ArrayLike, beta: float = 1.0) -> Array:
    """S = -sum p ln p in nats, `[...]`; ln V at beta = 0 without a mask."""
    log_p = log_probabilities(logits, beta)
    with np.errstate(invalid="ignore"):
        terms = np.where(np.isfinite(log_p), np.exp(log_p) * log_p, 0.0)
    return np.asarray(-terms.sum(axis=-1))


def energy(logits: ArrayLike, beta: float = 1.0) -> Array:
    """U = <E> = -<z> in nats, `[...]`."""
    z = np.asarray(logits, dtype=np.float64)
    return -_mean(z, probabilities(z, beta))


def heat_capacity(logits: ArrayLike, beta: float = 1.0) -> Array:
    """C = beta² Var(z), `[...]`, without unit; 0 at beta = 0 and at beta = ±inf."""
    z = np.asarray(logits, dtype=np.float64)
    if beta == 0 or math.isinf(beta):
        return np.zeros(z.shape[:-1])
    p = probabilities(z, beta)
    deviation = np.where(np.isfinite(z), z, 0.0) - _mean(z, p)[..., None]
    return np.asarray(beta * beta * (p * deviation * deviation).sum(axis=-1))


def _mean(z: Array, p: Array) -> Array:
    """<z> under p, masked tokens left out, `[...]`."""
    return np.asarray((p * np.where(np.isfinite(z), z, 0.0)).sum(axis=-1))


def rank(logits: ArrayLike, token_id: int) -> int:
    """How many tokens are strictly more likely at T = 1: 0 for the most likely, for `logits` `[vocab]`."""
    z = np.asarray(logits)
    return int(np.count_nonzero(z > z[token_id]))
