"""How many tokens did a model never train? Counted by the plateau below zero, by the level, and by the file's own list.

    plateau   below zero the entropy of one context rests where all tokens that the model holds equally impossible share
              the probability; exp(S) there is their number. No weights, no list, one forward pass. The flattest plateau
              decides, since what else lies near the bottom tilts it. There is one only where tokens never trained lie
              below all others.
    level     tokens whose logits coincide in all contexts (`theory.level`), on whichever side of the others they lie.
    list      tokens that the file types or names unused, bytes outside UTF-8, and rows beyond the vocabulary.

The contexts are those of an audit. It leaves out which tokens they are (`audit`).

Source: theory/level.py, theory/thermodynamics.py; ours.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments.indicators import KNOWN, Survey, survey
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.categories import TokenCategory, token_categories
from negtemp.model.weights.tensors import Weights
from negtemp.progress import ProgressHook, no_progress
from negtemp.records.census import Census, ListCount, Plateau, PlateauCount
from negtemp.theory import axis
from negtemp.theory import thermodynamics as thermo
from negtemp.theory.level import FEWEST

_EVERY, _ROWS = 8, 4
_FLATTEST = 1 / 4
_ALIKE = 0.1


def census(
    engine: Engine, weights: Weights, *, seed: int = 1, blind: bool = False, unused: Sequence[str] = (),
    progress: ProgressHook = no_progress,
) -> Iterator[Plateau | Census]:  # fmt: skip
    """A Plateau for each of some contexts, then the Census. With `blind` the level is found without the file's list.

    `unused` are names that count as unused beside the known ones. Raises ModelError, UsageError and DecodeError.
    """
    categories = token_categories(engine.model.vocabulary, unused)
    looker = _Looker()
    found = survey(engine, weights, categories, seed=seed, blind=blind, progress=progress, also=looker.look)
    yield from looker.plateaus
    padding = max(0, weights.unembedding.rows - len(categories))
    yield summary(looker.plateaus, found, categories, padding)


class _Looker:
    """Finds the plateau of a few rows of every eighth block of contexts."""

    def __init__(self) -> None:
        self.plateaus: list[Plateau] = []
        self._blocks = self._contexts = 0

    def look(self, block: NDArray[np.float32]) -> None:
        """Take in the logits of one block, `[contexts, vocab]`."""
        if self._blocks % _EVERY == _EVERY - 1:
            for row in range(0, len(block), max(1, len(block) // _ROWS)):
                self.plateaus.append(plateau(self._contexts + row, block[row]))
        self._blocks += 1
        self._contexts += len(block)


def plateau(context: int, logits: NDArray[np.floating]) -> Plateau:
    """The plateau below zero of one context's logits `[vocab]`; one of fewer tokens than make a level is none."""
    z = thermo.allowed(logits)
    beta = thermo.plateau_beta(z, -1) if len(z) else None
    if beta is None and len(z) and thermo.ties(z, -1) >= FEWEST:  # copies: S rests there to the end of the axis
        beta = -max(filter(math.isfinite, axis.grid()))
    if beta is not None:
        state = thermo.curves(z, [beta])
        tokens = float(np.exp(state.entropy[0]))
        if tokens >= FEWEST:
            return Plateau(context=context, beta=beta, tokens=tokens, heat_capacity=float(state.heat_capacity[0]))
    return Plateau(context=context, beta=None, tokens=None, heat_capacity=None)


def summary(plateaus: Sequence[Plateau], found: Survey, categories: Sequence[TokenCategory], padding: int) -> Census:
    """The three counts, and which of them agree."""
    by_plateau, level = count(plateaus), found.figures()
    listed = np.isin(categories, KNOWN)
    members = np.zeros(len(categories), bool) if found.level is None else found.level.members
    return Census(
        vocabulary=len(categories), plateau=by_plateau, level=level,
        listed=ListCount(
            tokens=int(listed.sum()), padding_rows=padding, by_category=_by_category(categories, listed),
            at_level=None if found.level is None else int((listed & members).sum()),
        ),
        by_category=_by_category(categories, members), 
        agreement=agreement(by_plateau.tokens if by_plateau else None, level.tokens if level else None),
    )  # fmt: skip


def _by_category(categories: Sequence[str], chosen: NDArray[np.bool_]) -> dict[str, int]:
    """How many of the chosen tokens are of each category, the most first."""
    return dict(Counter(category for category, wanted in zip(categories, chosen, strict=True) if wanted).most_common())


def count(plateaus: Sequence[Plateau]) -> PlateauCount | None:
    """The count by the flattest plateau; None where fewer than half of the contexts have one.

    Plateaus in a few contexts are accidents of these: two words that each of them rules out alike.
    """
    found = sorted(
        (p.heat_capacity, p.tokens) for p in plateaus if p.tokens is not None and p.heat_capacity is not None
    )
    if not found or 2 * len(found) < len(plateaus):
        return None
    flattest = [tokens for _, tokens in found[: max(1, round(_FLATTEST * len(found)))]]
    capacity, tokens = found[0]
    return PlateauCount(
        tokens=tokens, low=min(flattest), high=max(flattest), heat_capacity=capacity, contexts=len(plateaus),
        plateaus=len(found),
    )  # fmt: skip


def agreement(by_plateau: float | None, by_level: float | None) -> str:
    """Whether the two counts that are measured agree, in words; a list names only what somebody knew.

    >>> agreement(6210.0, 5649), agreement(None, 15)
    ('plateau and level agree within 10 %', 'only the level counts any')
    """
    if by_plateau is None or by_level is None:
        told = "plateau" if by_plateau is not None else "level" if by_level is not None else ""
        return f"only the {told} counts any" if told else "neither plateau nor level counts any"
    apart = abs(by_plateau - by_level) / max(by_plateau, by_level)
    if apart > _ALIKE:
        return f"plateau and level differ by {apart:.0%}: what lies lowest and what coincides are not the same tokens"
    return f"plateau and level agree within {max(1, math.ceil(100 * apart))} %"
