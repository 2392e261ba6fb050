"""Every indicator of one model, from its file and from what it computes: one score a token, higher = more suspect.

Tokens known to be unused are found, not listed: rows beyond the vocabulary, tokens typed or named unused, bytes that
no UTF-8 text holds (F5 to FF, C0, C1), and, where these are fewer than three, tokens that no text leads to. Where a
model has none of them, the tokens of the lowest mean logit stand in. It leaves out candidates and verification.

Sources: theory/indicators.py and theory/thermal.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments import contexts
from negtemp.experiments.verification import Watch, passed
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.categories import IN_TEXT, UNREACHABLE, TokenCategory
from negtemp.model.weights import geometry
from negtemp.model.weights.tensors import Rows, Tensor, Weights
from negtemp.theory import indicators as formulas
from negtemp.theory import ranking
from negtemp.theory.thermal import ThermalSums

Array = NDArray[np.float64]

_FEWEST_REFERENCES = 3
_STAND_INS = 16
_SAMPLE_VALUES = 1 << 25


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of the unembedding that stand for unused tokens, and where they were found.

    `known` is False where the lowest mean logits stand in, which proves nothing about the mean logit.
    """

    rows: tuple[int, ...]
    source: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Survey:
    """Every indicator of one model, and the score that combines them.

    indicators   by name, `[vocab]` each, NaN where a token has none; higher is more suspect
    score        `[vocab]`, see `theory.ranking`
    stands_out   probability that a token known to be unused has a lower mean logit than one in use; NaN: none known
    """

    indicators: Mapping[str, Array]
    reference: Reference
    score: Array
    stands_out: float


def measure(engine: Engine, weights: Weights, categories: Sequence[TokenCategory]) -> dict[str, Array]:
    """The indicators of a `survey` by name, and the `score` among them, `[vocab]` each."""
    found = survey(engine, weights, categories)
    return {**found.indicators, "score": found.score}


def survey(
    engine: Engine, weights: Weights, categories: Sequence[TokenCategory], *, seed: int = 1, watch: Watch = passed
) -> Survey:
    """Every indicator of one model. `watch(items, total, what)` passes the blocks of contexts on, so that a caller can
    show how far along it is. Raises ModelError and DecodeError.
    """
    model = engine.model
    sums = ThermalSums(model.vocabulary.size)
    steps = min(contexts.LENGTH, model.trained_context)
    for logits in watch(contexts.stream(engine, seed=seed), steps, "reading contexts"):
        sums.add(logits)
    thermal = sums.indicators()
    reference = references(weights, categories, thermal["mean_logit"])
    found = from_weights(weights, reference, len(categories), engine.threads) | thermal
    unused = np.zeros(len(categories), bool)
    if reference.known:
        unused[[row for row in reference.rows if row < len(unused)]] = True
    used = ranking.in_use(found, ranking.COMBINED, unused)
    score = ranking.scores(found, ranking.COMBINED, used, unused)
    if ranking.has_scale(found, ranking.COMBINED, used, unused):
        score = ranking.regrouped(score, found, used, np.isin(categories, IN_TEXT))
    return Survey(found, reference, score, ranking.structure(found["mean_logit"], used, unused))


def references(weights: Weights, categories: Sequence[TokenCategory], mean_logit: Array) -> Reference:
    """Rows of tokens known to be unused, with the words for where they come from."""
    padding = range(len(categories), weights.unembedding.rows)
    known = [i for i, category in enumerate(categories) if category in ("unused", "byte-invalid")]
    if len(padding) + len(known) >= _FEWEST_REFERENCES:
        return Reference((*known, *padding), "unused tokens, padding and bytes outside UTF-8")
    unreachable = [i for i, category in enumerate(categories) if category in UNREACHABLE]
    if len(unreachable) + len(known) >= _FEWEST_REFERENCES:
        return Reference((*known, *unreachable, *padding), "unreachable tokens")
    order = np.argsort(np.where(np.isnan(mean_logit), -np.inf, -mean_logit), kind="stable")
    return Reference(tuple(map(int, order[:_STAND_INS])), "the lowest mean logits", known=False)


def from_weights(weights: Weights, reference: Reference, vocab: int, threads: int | None = None) -> dict[str, Array]:
    """The indicators that look at weights alone, `[vocab]` each. Raises ModelError."""
    read, written = weights.embedding, weights.unembedding
    inner = geometry.measure(read, threads)
    outer = inner if written is read else geometry.measure(written, threads)
    found = {
        "input_norm": -inner.norms[:vocab],
        "input_centroid": -inner.distances[:vocab],
        "output_centroid": -outer.distances[:vocab],
    }
    direction = formulas.unused_direction(written.take(reference.rows))
    if direction is None:
        return found
    component = formulas.first_component(_sample(written))
    direction_without = formulas.without(direction[None], component)[0]

    def cosines(_: int, rows: Rows) -> tuple[Array, Array]:
        stripped = formulas.without(rows, component)
        return formulas.cosines(rows, direction), formulas.cosines(stripped, direction_without)

    plain, stripped = zip(*written.map(cosines, threads), strict=True)
    found["unused_cosine"] = np.concatenate(plain)[:vocab]
    found["unused_cosine_no_pc"] = np.concatenate(stripped)[:vocab]
    return found


def _sample(tensor: Tensor) -> Rows:
    """Evenly spread rows, all of them up to 128 MiB: enough to tell the direction of greatest variance."""
    step = max(1, -(-tensor.rows * tensor.dim // _SAMPLE_VALUES))
    return tensor.take(range(0, tensor.rows, step))
