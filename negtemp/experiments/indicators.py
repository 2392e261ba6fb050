"""Every indicator of one model, from its file and from what it computes: one score a token, higher = more suspect.

Where tokens that were never trained share a level (`theory.level`), the score is a token's nearness to it. Where there
is none, the score is how far the token lies from those in use towards those known to be unused (`theory.ranking`).

Tokens known to be unused are found, not listed: rows beyond the vocabulary, tokens typed or named unused, bytes that
no UTF-8 text holds (F5 to FF, C0, C1), and, where these are fewer than three, tokens that no text leads to. Where a
model has none of them, the members of the level stand in, or the tokens of the lowest mean logit. It leaves out
candidates and verification.

Sources: theory/level.py, theory/indicators.py and theory/thermal.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments import contexts
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.categories import IN_TEXT, UNREACHABLE, TokenCategory
from negtemp.model.weights import geometry
from negtemp.model.weights.tensors import Rows, Tensor, Weights
from negtemp.progress import ProgressHook, no_progress
from negtemp.records.audit import LevelFigures
from negtemp.theory import indicators as formulas
from negtemp.theory import level, ranking
from negtemp.theory.geometry import Geometry
from negtemp.theory.level import Level
from negtemp.theory.profiles import ProfileSums
from negtemp.theory.thermal import ThermalSums

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

KNOWN: tuple[TokenCategory, ...] = ("unused", "byte-invalid")
_SMALLEST_NORM = 1e-6
_FEWEST_REFERENCES = 3
_STAND_INS = 16
_SAMPLE_VALUES = 1 << 25
_MOST_MEMBERS = 4096


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
    score        `[vocab]`, of the level or of `theory.ranking`
    combined     names of the indicators that the score is made of
    structure    probability that a token known to be unused is more suspect than one in use: by nearness to the level,
                 by the mean logit where there is none; NaN: none known
    level        the level of tokens never trained, or None
    runaway      share of suspect tokens among those drawn for the contexts; NaN without a level
    has_scale    whether scores are distances, of which a threshold means something; else they are ranks
    """

    indicators: Mapping[str, Array]
    reference: Reference
    score: Array
    combined: tuple[str, ...]
    structure: float
    level: Level | None
    runaway: float
    has_scale: bool

    def figures(self) -> LevelFigures | None:
        """The level as a record holds it."""
        if self.level is None:
            return None
        return LevelFigures(
            tokens=int(self.level.members.sum()), by_group=self.level.by_group,
            probability=float(np.exp(-np.median(self.indicators["thermal_plus_1"][self.level.members]))),
            radius=self.level.radius, usual=math.exp(self.level.in_use.mode), threshold=self.level.threshold,
            false_share=self.level.false_share, runaway=self.runaway,
        )  # fmt: skip


def measure(engine: Engine, weights: Weights, categories: Sequence[TokenCategory]) -> dict[str, Array]:
    """The indicators of a `survey` by name, and the `score` among them, `[vocab]` each."""
    found = survey(engine, weights, categories)
    return {**found.indicators, "score": found.score}


def survey(
    engine: Engine, weights: Weights, categories: Sequence[str], *, seed: int = 1, blind: bool = False,
    progress: ProgressHook = no_progress, also: Callable[[NDArray[np.float32]], None] | None = None,
) -> Survey:  # fmt: skip
    """Every indicator of one model. With `blind` no token counts as known to be unused, as if no name said so.

    `also` is given each block of logits, `[contexts, vocab]`. Raises ModelError and DecodeError.
    """
    vocab = len(categories)
    thermal, profiles, drawn = _read_contexts(engine, vocab, seed, progress, also)
    written = geometry.measure(weights.unembedding, engine.threads)
    known = np.isin(categories, () if blind else KNOWN)
    found_level = level.find(profiles.profiles(), known, _eligible(written, thermal["mean_logit"]))
    reference = references(weights, () if blind else categories, thermal["mean_logit"], found_level)
    found = from_weights(weights, reference, vocab, written, engine.threads) | thermal
    unused, in_text = np.zeros(vocab, bool), np.isin(categories, IN_TEXT)
    if reference.known:
        unused[[row for row in reference.rows if row < vocab]] = True
    if found_level is None:
        return _by_ranking(found, reference, unused, in_text)
    found["level"] = -found_level.distance
    found["level_direction"] = -_chords(
        weights.unembedding, np.flatnonzero(found_level.members).tolist(), engine.threads
    )[:vocab]
    structure = ranking.structure(found["level"], ~found_level.suspect, unused)
    runaway = float(drawn[found_level.suspect].sum() / max(drawn.sum(), 1))
    score = found_level.scores(-found["level_direction"])
    made_of: tuple[str, ...] = ("level", "level_direction")
    if found_level.is_a_fall(found["mean_logit"]):  # there a low logit says more of what was seen rarely
        score = ranking.dealt_anew(score, _by_lowness(found, unused, in_text)[0], found_level.suspect)
        made_of += tuple(ranking.COMBINED)
    return Survey(found, reference, score, made_of, structure, found_level, runaway, has_scale=True)


def _chords(written: Tensor, members: Sequence[int], threads: int | None) -> Array:
    """How far each row's direction lies from that of the mean row of the level, `[rows]`: 0 the same, 2 opposite."""
    direction = written.take(members[:_MOST_MEMBERS]).astype(np.float64).mean(axis=0)
    cosines = written.map(lambda _, rows: formulas.cosines(rows, direction), threads)
    return np.asarray(np.sqrt(np.maximum(2 - 2 * np.concatenate(cosines), 0)))


def _read_contexts(
    engine: Engine, vocab: int, seed: int, progress: ProgressHook, also: Callable[[NDArray[np.float32]], None] | None
) -> tuple[dict[str, Array], ProfileSums, NDArray[np.int64]]:
    """The thermal indicators, the profiles, and how often each token was drawn, over the contexts of one seed."""
    sums, profiles, drawn = ThermalSums(vocab), ProfileSums(vocab), np.zeros(vocab, np.int64)
    steps = min(contexts.LENGTH, engine.model.trained_context)
    for logits in progress(contexts.stream(engine, seed=seed, drawn=drawn), steps, "reading contexts"):
        sums.add(logits)
        profiles.add(logits)
        if also is not None:
            also(logits)
    return sums.indicators(), profiles, drawn


def _eligible(written: Geometry, mean_logit: Array) -> Mask:
    """Tokens that may make a level, `[vocab]`: rows of zeros coincide because a converter added them."""
    return np.asarray(np.isfinite(mean_logit) & (written.norms[: len(mean_logit)] > _SMALLEST_NORM))


def _by_ranking(found: dict[str, Array], reference: Reference, unused: Mask, in_text: Mask) -> Survey:
    """The survey of a model without a level."""
    score, used = _by_lowness(found, unused, in_text)
    has_scale = ranking.has_scale(found, ranking.COMBINED, used, unused)
    structure = ranking.structure(found["mean_logit"], used, unused)
    return Survey(found, reference, score, tuple(ranking.COMBINED), structure, None, math.nan, has_scale)


def _by_lowness(found: dict[str, Array], unused: Mask, in_text: Mask) -> tuple[Array, Mask]:
    """The score by the mean logit and the mean probability at beta = +1, and what is in use by it, `[vocab]` each."""
    used = ranking.in_use(found, ranking.COMBINED, unused)
    score = ranking.scores(found, ranking.COMBINED, used, unused)
    if ranking.has_scale(found, ranking.COMBINED, used, unused):
        score = ranking.regrouped(score, found, used, in_text)
    return score, used


def references(weights: Weights, categories: Sequence[str], mean_logit: Array, found: Level | None = None) -> Reference:
    """Rows of tokens known to be unused, with the words for where they come from."""
    padding = range(len(mean_logit), weights.unembedding.rows) if categories else range(0)
    known = [i for i, category in enumerate(categories) if category in KNOWN]
    if len(padding) + len(known) >= _FEWEST_REFERENCES:
        return Reference((*known, *padding), "unused tokens, padding and bytes outside UTF-8")
    unreachable = [i for i, category in enumerate(categories) if category in UNREACHABLE]
    if len(unreachable) + len(known) >= _FEWEST_REFERENCES:
        return Reference((*known, *unreachable, *padding), "unreachable tokens")
    if found is not None:
        return Reference(tuple(map(int, np.flatnonzero(found.members))), "tokens whose logits coincide in all contexts")
    order = np.argsort(np.where(np.isnan(mean_logit), -np.inf, -mean_logit), kind="stable")
    return Reference(tuple(map(int, order[:_STAND_INS])), "the lowest mean logits", known=False)


def from_weights(
    weights: Weights, reference: Reference, vocab: int, outer: Geometry, threads: int | None = None
) -> dict[str, Array]:
    """The indicators that look at weights alone, `[vocab]` each; `outer` is the geometry of the unembedding.

    Raises ModelError.
    """
    read, written = weights.embedding, weights.unembedding
    inner = outer if written is read else geometry.measure(read, threads)
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
