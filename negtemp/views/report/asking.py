"""The reports of `repeat` and `reproduce`: what a model says when it is asked to, and what became of each claim."""

import math
from collections.abc import Iterable, Sequence

from rich.text import Text

from negtemp.printable import printable
from negtemp.records import ClaimVerdict, PublishedToken, Record, Repetition, Trial
from negtemp.records.trial import GRADES
from negtemp.records.verdict import Claim
from negtemp.views import trials as trials_view
from negtemp.views import verdicts as verdicts_view
from negtemp.views.report import generations, pictures
from negtemp.views.report.document import LISTED, Part, Passages, Picture, Report, Saved, Section
from negtemp.views.report.pictures import Row
from negtemp.views.report.svg import ABOVE, BELOW, NEUTRAL

_DRAWN, _WIDE, _TEXTS = 40, 200, 6
_LEAST = 1e-12

_CLAIMS: dict[Claim, str] = {
    "coherent-above-zero": "At T=+0.001 the model writes English that hangs together.",
    "degenerate-below-zero": "At T=-0.001 it writes no language at all.",
    "near-input-centroid": "What it writes below zero lies near the centroid of the embedding.",
    "not-said-when-asked": "It does not say those tokens when it is asked to.",
    "prompt-independent": "It writes the same tokens below zero whatever the prompt.",
}
_COLOURS = {"holds": ABOVE, "fails": BELOW, "cannot tell": NEUTRAL}


def repetition(saved: Saved, records: Iterable[Record]) -> Report:
    """`repeat`: each candidate beside its controls."""
    found = list(records)
    trials = [r for r in found if isinstance(r, Trial)]
    ends = [r for r in found if isinstance(r, Repetition)]
    candidates = [t for t in trials if t.role == "candidate"]
    sections = [Section("Token by token", [*_trials(trials, candidates)])]
    return Report(
        title="Can the model say these tokens?",
        lead="The model is shown a token and asked to repeat it, in several wordings; what counts is the greatest "
        "probability that it gives to exactly that token where its answer begins. Each token has controls: others "
        "that resemble it, asked for in the same way.",
        sections=sections,
        facts=[
            (f"{len(candidates):,}", "tokens asked for"),
            (f"{len(trials) - len(candidates):,}", "controls"),
            *((f"{one.candidates_said:.0%}", "of the tokens are said") for one in ends if _finite(one.candidates_said)),
            *((f"{one.controls_said:.0%}", "of the controls are said") for one in ends if _finite(one.controls_said)),
        ],
        verdicts=[sentence for one in ends for sentence in reversed(trials_view.conclusion(one))],
        missing=[] if ends else [_cut_off(saved, candidates)],
    )


def answers(saved: Saved, records: Iterable[Record]) -> Report:
    """The answers that an audit has saved as they came: how many, and how readily tokens are said."""
    counted = trials_view.asked_for(records, saved.header.model.vocabulary)
    return Report(
        title="What an audit has asked for so far",
        lead="The answers of `negtemp audit --exhaustive`, kept so that an interrupted audit goes on; the audit itself "
        "is another run.",
        sections=[Section("Tokens asked for", [f"{counted}."])],
    )


def _finite(value: float) -> bool:
    return math.isfinite(value)


def _cut_off(saved: Saved, candidates: Sequence[Trial]) -> str:
    wanted = saved.header.settings.get("token_ids")
    of = f" of {len(wanted):,}" if isinstance(wanted, list | tuple) else ""
    return f"This run was interrupted: {len(candidates):,}{of} tokens were asked for, and no conclusion was drawn."


def _trials(trials: Sequence[Trial], candidates: Sequence[Trial]) -> Iterable[Part]:
    if not trials:
        yield "No token was asked for."
        return
    yield _probabilities(trials, candidates)
    shown = trials[:LISTED]
    yield trials_view.table(shown, True, _WIDE)
    if len(trials) > len(shown):
        yield f"{len(trials) - len(shown):,} more trials are in the records and left out here."


def _probabilities(trials: Sequence[Trial], candidates: Sequence[Trial]) -> Picture:
    ordered = sorted(candidates, key=lambda t: (t.probability, t.token_id))
    rows = [
        Row(
            f"{one.token_id}  {printable(one.raw, keep=' ')}", max(one.probability, _LEAST), None, BELOW,
            others=[("", max(t.probability, _LEAST)) for t in trials if t.control_for == one.token_id],
        )
        for one in ordered[:_DRAWN]
    ]  # fmt: skip
    more = f" The {_DRAWN} least likely of {len(ordered):,} are drawn." if len(ordered) > _DRAWN else ""
    return Picture(
        "How likely the model makes each token when it is asked for (full dots), beside that token's own controls "
        f"(rings). A token to the right of 0.1 counts as said.{more}",
        [pictures.dots(
            "probability when asked", "probability, logarithmic", rows, log=True, limits=(_LEAST / 2, 3),
            lines=[(bound, f"{bound:g}") for bound in GRADES.values()],
        )],
        [trials_view.table([t for t in trials if t.role == "candidate"][:LISTED], False, _WIDE)],
    )  # fmt: skip


def reproduction(saved: Saved, records: Iterable[Record]) -> Report:
    """`reproduce`: the verdicts, the first texts, and the published tokens that the vocabulary holds."""
    found = list(records)
    verdicts = [r for r in found if isinstance(r, ClaimVerdict)]
    named = [r for r in found if isinstance(r, PublishedToken)]
    kept = generations.Kept.of(found)
    sections = [Section("The claims", [*_claims(verdicts)])]
    texts = kept.completions[:_TEXTS]
    if texts:
        shown = [generations.passage(c, kept.steps[c.sequence], saved.header.model.vocabulary) for c in texts]
        sections.append(Section("What it wrote", [
            f"The first {len(texts)} of {kept.count:,} texts.", Passages(shown)
        ]))  # fmt: skip
    trials = [r for r in found if isinstance(r, Trial)]
    if trials:
        sections.append(Section("What it says when asked", [
            *_trials(trials, [t for t in trials if t.role == "candidate"])
        ]))  # fmt: skip
    if named:
        sections.append(Section("Tokens that others have published", [verdicts_view.published(named[:LISTED])]))
    counts = {verdict: sum(one.verdict == verdict for one in verdicts) for verdict in _COLOURS}
    return Report(
        title="Does the experiment hold on this model?",
        lead="In 2023 somebody ran a language model at a temperature just below zero and saw strange tokens instead of "
        "sentences. Five claims were made about them. Each is measured here on one model, against controls that should "
        "not show the effect.",
        sections=sections, facts=[(str(count), f"of 5 claims: {name}") for name, count in counts.items()],
        verdicts=[_verdict(one) for one in verdicts],
        missing=[] if len(verdicts) == len(_CLAIMS) else [
            f"This run was interrupted: {len(verdicts)} of {len(_CLAIMS)} claims have a verdict."
        ],
    )  # fmt: skip


def _verdict(one: ClaimVerdict) -> Text:
    words = {"holds": "Holds", "fails": "Fails", "cannot tell": "Cannot tell"}[one.verdict]
    return Text.assemble((words, verdicts_view.style(one)), f": {_CLAIMS.get(one.claim, one.claim)}")


def _claims(verdicts: Sequence[ClaimVerdict]) -> Iterable[Part]:
    if not verdicts:
        yield "No claim has a verdict yet."
        return
    panels = [
        pictures.dots(
            f"{one.claim}: {one.verdict}", one.measure,
            [
                Row("measured", one.effect, one.interval, _COLOURS[one.verdict], f"{one.effect:.3g}"),
                *(Row(name, value, None, NEUTRAL, f"{value:.3g}") for name, value in one.controls.items()),
            ],
        )
        for one in verdicts
        if not math.isnan(one.effect)
    ]  # fmt: skip
    if panels:
        yield Picture(
            "What was measured for each claim, with its 95 % interval; below it the controls that it stands against.",
            panels, [],
        )  # fmt: skip
    yield from verdicts_view.whole(verdicts)
