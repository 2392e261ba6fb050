"""From scored files to figures: of each file, of the search for a default ranking, and along the temperature axis.

The tokens that take part are those that a user would want judged: not control tokens, and not those from which the
unused direction was made (bytes outside UTF-8, tokens typed unused), which would only find themselves. Means are over
models; intervals are bootstraps over models, so they hold the spread of seeds and of configurations alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import axis
from audit.combinations import SCORE, Choice, Names, candidates, leave_one_out, shortfalls
from audit.metrics import RARE, SOME, Array, Counts, figures
from audit.scoring import Scored
from negtemp.theory import ranking

UNUSED = ("unused", "byte-invalid")
LEFT_OUT = ("control", *UNUSED)


@dataclass(frozen=True)
class Measured:
    """One file's figures by indicator, `figures[indicator][figure]`, how many tokens each band holds, and how good the
    list above the audit's own threshold is.
    """

    configuration: str
    seed: int
    tied: bool
    quantisation: str
    tokens: int
    bands: tuple[int, int, int, int]
    figures: dict[str, dict[str, float]]
    threshold: dict[str, float]


@dataclass(frozen=True)
class Search:
    """What the search for a default ranking found: shortfalls `[models, choices]` and what leaving out chooses."""

    choices: list[Names]
    table: NDArray[np.float64]
    left_out: list[Choice]


@dataclass(frozen=True)
class Along:
    """One model's figures at every inverse temperature of `axis.BETAS`, and how many never-seen tokens argmin meets."""

    configuration: str
    seed: int
    tied: bool
    coverage: float
    figures: list[dict[str, float]]


def judged(file: Scored) -> tuple[dict[str, Array], Counts]:
    """Scores and counts of the tokens that take part, `[n]` each."""
    part = ~np.isin(file.categories, LEFT_OUT)
    return {name: values[part] for name, values in file.scores.items()}, file.counts[part]


def measured(file: Scored) -> Measured:
    """All figures of one file."""
    scores, counts = judged(file)
    edges = np.searchsorted(np.sort(counts), [1, RARE + 1, SOME + 1])
    bands = np.diff([0, *edges, len(counts)])
    return Measured(
        file.member.configuration, file.member.seed, file.member.tied, file.quantisation, len(counts),
        (int(bands[0]), int(bands[1]), int(bands[2]), int(bands[3])),
        {name: figures(values, counts) for name, values in scores.items()}, above_threshold(scores[SCORE], counts),
    )  # fmt: skip


def above_threshold(score: Array, counts: Counts) -> dict[str, float]:
    """How good the list is that the audit makes with no share of the vocabulary given, `[n]` scores and counts."""
    listed = score >= ranking.THRESHOLD
    return {
        "listed": float(listed.mean()),
        "precision_never": float((counts[listed] == 0).mean()) if listed.any() else float("nan"),
        "precision_rare": float((counts[listed] <= RARE).mean()) if listed.any() else float("nan"),
        "recall_never": float(listed[counts == 0].mean()),
    }


def along_axis(file: Scored) -> Along:
    """The axis of one file."""
    scores, part = axis.along(file), ~np.isin(file.categories, LEFT_OUT)
    return Along(
        file.member.configuration, file.member.seed, file.member.tied, axis.coverage(file, scores),
        [figures(values[part], file.counts[part]) for values in scores],
    )  # fmt: skip


def scaled(file: Scored) -> dict[str, Array]:
    """Each indicator of the tokens that take part on the audit's scale, `[n]`, and the audit's own score as it is."""
    unused = np.isin(file.categories, UNUSED)
    used = ranking.in_use(file.scores, ranking.COMBINED, unused)
    part = ~np.isin(file.categories, LEFT_OUT)

    def on_scale(values: Array) -> Array:
        found = ranking.scaled(values, used, unused)
        return (ranking.share(values) if found is None else found)[part]

    return {name: values[part] if name == SCORE else on_scale(values) for name, values in file.scores.items()}


def search(files: Sequence[Scored]) -> Search:
    """Every combination on every file."""
    choices = candidates(list(files[0].scores))
    table = np.array([shortfalls(scaled(file), judged(file)[1], choices) for file in files])
    configurations = [file.member.configuration for file in files]
    return Search(choices, table, leave_one_out(table, configurations, choices))
