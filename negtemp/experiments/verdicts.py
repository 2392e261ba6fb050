"""When does a claim of the article hold? One function a claim: measurements in, a verdict with its controls out.

A claim `holds` where the whole 95 % interval of its effect lies beyond a bound, `fails` where all of it lies short of
the bound, and otherwise nobody can tell; the bounds are below, and none of them is 0, so that chance alone does not
pass. Every effect is a difference from a control, or has one beside it:

    coherent-above-zero      nats a token by which texts are more likely in order than shuffled; and at T=+0.001 the
                             model writes more of English's common words than a uniform draw of tokens does
    degenerate-below-zero    common words at T=-0.001 less those at T=+0.001, and no more than a uniform draw
    near-input-centroid      AUC of the emitted tokens against all others; against those of T=+0.001
    not-said-when-asked      probability when asked less that of controls (`repeat`)
    prompt-independent       share of the tokens of one prompt that another prompt emits too; against T=+0.001

It leaves out how the measurements are made (`reproduce`).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from negtemp.records import ClaimVerdict, Repetition
from negtemp.records.trial import Outcome
from negtemp.records.verdict import Holds
from negtemp.theory.statistics import Interval, bootstrap, bootstrap_difference

ORDER_NATS = 0.5
COMMON_SHARE = 0.05
NEAR_AUC = 0.6
OVERLAP = 0.5

_FEWEST = 5
_NAN = float("nan")


def coherent(order: NDArray[np.float64], above: NDArray[np.float64], uniform: NDArray[np.float64]) -> ClaimVerdict:
    """From nats of order preference `[pairs]`, and shares of common words at T=+0.001 and beta=0, each `[prompts]`."""
    interval, words = bootstrap(order), bootstrap(above - uniform)
    verdict, note = _beyond(interval, ORDER_NATS, min(len(order), len(above))), ""
    if verdict == "holds" and words.low <= COMMON_SHARE:
        verdict, note = "cannot tell", "it knows the order of English but writes no more of its words than chance"
    return ClaimVerdict(
        claim="coherent-above-zero", verdict=verdict,
        measure="nats a token by which English is likelier in order than shuffled", effect=mean(order),
        interval=interval, n=len(order), controls={"shuffled": 0.0},
        figures={"common words at T=+0.001": mean(above), "common words at beta=0": mean(uniform)}, note=note,
    )  # fmt: skip


def degenerate(
    below: NDArray[np.float64], above: NDArray[np.float64], uniform: NDArray[np.float64], figures: Mapping[str, float]
) -> ClaimVerdict:
    """From shares of common words at T=-0.001, T=+0.001 and beta=0, each `[prompts]`."""
    interval = bootstrap(below - above)
    verdict, note = _beyond(Interval(-interval.high, -interval.low), COMMON_SHARE, len(below)), ""
    if verdict == "holds" and bootstrap(below - uniform).low > 0:
        verdict, note = "fails", "it writes more English than a uniform draw does"
    elif verdict != "holds" and mean(above) - mean(uniform) < COMMON_SHARE:
        note = "there is no English above zero to be lost"
    return ClaimVerdict(
        claim="degenerate-below-zero", verdict=verdict,
        measure="share of common English words at T=-0.001 less that at T=+0.001", effect=mean(below - above),
        interval=interval, n=len(below), controls={"uniform draw": mean(uniform - above)}, figures=figures, note=note,
    )  # fmt: skip


def near(
    distances: NDArray[np.float64], sets: Mapping[str, Collection[int]], tied: bool, figures: Mapping[str, float]
) -> ClaimVerdict:
    """From the distances of every token to the centroid, `[vocab]`, NaN for those left out, and sets of ids: the first
    of `sets` is what the claim is about, the second what is emitted above zero, the rest further controls.
    """
    nearness = {name: nearer(distances, token_ids) for name, token_ids in sets.items()}
    below, above = list(nearness.values())[:2]
    interval = bootstrap(below)
    verdict, notes = _beyond(interval, NEAR_AUC, len(below)), []
    if interval.high < 0.5:
        verdict, notes = "fails", ["reversed: they lie farthest"]
    elif verdict == "holds" and _as_far_in(above, below):
        verdict, notes = "cannot tell", ["tokens emitted above zero lie as near"]
    elif verdict == "holds" and any(_as_far_in(values, below) for values in list(nearness.values())[2:]):
        notes = ["yet hidden states that mean nothing emit tokens as near"]
    notes += ["tied: the embedding is the unembedding"] if tied else []
    controls = {name: mean(values) for name, values in list(nearness.items())[1:]}
    return ClaimVerdict(
        claim="near-input-centroid", verdict=verdict,
        measure="chance that an emitted token is nearer than another (AUC)", effect=mean(below), interval=interval,
        n=len(below), controls=controls, figures=figures, note="; ".join(notes),
    )  # fmt: skip


def _as_far_in(control: NDArray[np.float64], ours: NDArray[np.float64]) -> bool:
    """Whether a control's tokens may be as near as ours."""
    return bool(len(control)) and bootstrap_difference(ours, control).low <= 0


def nearer(distances: NDArray[np.float64], token_ids: Collection[int]) -> NDArray[np.float64]:
    """For each of the ids with a distance, the share of all other tokens that lie farther, ties half; its mean is the
    AUC of the set against the rest.
    """
    inside = np.zeros(len(distances), bool)
    inside[list(token_ids)] = True
    known = np.isfinite(distances)
    rest = np.sort(distances[known & ~inside])
    ours = distances[known & inside]
    if not len(rest):
        return np.empty(0)
    left, right = np.searchsorted(rest, ours, "left"), np.searchsorted(rest, ours, "right")
    return np.asarray(1.0 - (left + right) / (2.0 * len(rest)))


def not_said(found: Repetition) -> ClaimVerdict:
    """From the conclusion of `repeat`."""
    known: Mapping[Outcome, Holds] = {"not said": "holds", "said like the controls": "fails"}
    verdict = known.get(found.outcome, "cannot tell")
    return ClaimVerdict(
        claim="not-said-when-asked", verdict=verdict, measure="probability when asked less that of matched controls",
        effect=found.difference, interval=found.interval, n=found.pairs,
        controls={"share of controls said": found.controls_said},
        figures={"share of tokens said": found.candidates_said, "nats": found.nats},
        note="it says no controls either: unable to repeat" if found.outcome == "unable to repeat" else "",
    )  # fmt: skip


def independent(
    below: Sequence[Collection[int]], above: Sequence[Collection[int]], vocab: int, figures: Mapping[str, float]
) -> ClaimVerdict:
    """From the sets of ids that each prompt emits at T=-0.001 and at T=+0.001."""
    ours, control = overlaps(below), overlaps(above)
    interval = bootstrap(ours)
    verdict = _beyond(interval, OVERLAP, len(ours))
    chance = mean([len(tokens) for tokens in below]) / vocab
    return ClaimVerdict(
        claim="prompt-independent", verdict=verdict, measure="share of a prompt's tokens that another prompt emits too",
        effect=mean(ours), interval=interval, n=len(ours), controls={"T=+0.001": mean(control), "chance": chance},
        figures=figures, note=_degree(mean(ours), mean(control), chance),
    )  # fmt: skip


def _degree(below: float, above: float, chance: float) -> str:
    more = "more" if below > above else "less"
    return f"{below / chance:.0f} times chance, and {more} than above zero" if chance and np.isfinite(below) else ""


def overlaps(sets: Sequence[Collection[int]]) -> NDArray[np.float64]:
    """For each set of a sequence, the mean share of its ids that another of the sets holds, `[sets]`.

    Two sets meet in two of the values, so an interval of their mean is somewhat too narrow.
    """
    kept = [set(tokens) for tokens in sets if tokens]
    if len(kept) < 2:
        return np.empty(0)
    shares = [[len(one & other) / len(one) for other in kept if other is not one] for one in kept]
    return np.asarray(np.mean(shares, axis=1))


def _beyond(interval: Interval, bound: float, n: int) -> Holds:
    """`holds` where the interval lies above the bound, `fails` where it lies below."""
    if n < _FEWEST or not np.isfinite(interval.low):
        return "cannot tell"
    return "holds" if interval.low > bound else "fails" if interval.high < bound else "cannot tell"


def mean(values: ArrayLike) -> float:
    """The mean, or NaN of nothing."""
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean()) if found.size else _NAN
