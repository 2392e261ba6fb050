"""What asking for tokens showed: a row for each candidate beside its controls, and a line that says what it means.

Rows are sorted by probability, the least first. The piece stands last, so that right-to-left letters disturb nothing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from negtemp.printable import counted
from negtemp.records import Asked, Record, Repetition, Trial
from negtemp.records.trial import GRADES, SAID_FROM, grade
from negtemp.views.console import PIECE_WIDTH, safe

_NARROWEST_TABLE = 90
_GRADE_STYLES = {"said": "", "often": "", "seldom": "#a39f78", "rarely": "#c8a83c", "never": "#e0a000 bold"}


def table(trials: Sequence[Trial], everything: bool, width: int) -> Table:
    """Candidates, least likely first, each with the mean probability of its own controls; all trials on demand.

    A narrow terminal gets fewer columns: what the model said instead is in the records.
    """
    found, narrow = Table(box=box.SIMPLE_HEAD, padding=(0, 1)), width < _NARROWEST_TABLE
    for name in ("id", "p", "controls' p") + (() if narrow else ("sampled",)):
        found.add_column(name, justify="right", no_wrap=True)
    for name in ("grade",) if narrow else ("grade", "shape"):
        found.add_column(name, no_wrap=True)
    for name in ("piece",) if narrow else ("said instead", "piece"):
        found.add_column(name, overflow="fold", max_width=PIECE_WIDTH)
    for trial in sorted(trials, key=lambda trial: (trial.role, trial.probability, trial.token_id)):
        if everything or trial.role == "candidate":
            found.add_row(*_row(trial, trials, narrow))
    return found


def _row(trial: Trial, trials: Sequence[Trial], narrow: bool) -> list[Text]:
    own = [control.probability for control in trials if control.control_for == trial.token_id]
    controls = probability(sum(own) / len(own)) if own else "control" if trial.role == "control" else "none"
    first = [Text(str(trial.token_id)), Text(probability(trial.probability)), Text(controls)]
    grade, piece = Text(trial.grade, _GRADE_STYLES[trial.grade]), safe(trial.raw, keep="")
    if narrow:
        return [*first, grade, piece]
    sampled = Text("" if trial.sampled is None else f"{trial.sampled:.0%}")
    instead = safe(trial.said_raw if trial.token_id not in trial.said[:1] else b"", keep="")
    return [*first, sampled, grade, Text(trial.shape), instead, piece]


def probability(value: float) -> str:
    """A probability in six characters or so.

    >>> probability(0.25), probability(3.2e-9), probability(0.0)
    ('0.250', '3e-09', '0')
    """
    return "0" if value == 0 else f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def conclusion(found: Repetition) -> list[str]:
    """What the trials mean, in plain lines."""
    shares = f"says {_share(found.candidates_said)} of {found.candidates} tokens"
    controls = f"{_share(found.controls_said)} of {found.controls} controls"
    lines = [f"With p >= {SAID_FROM:g} at the place of the answer, the model {shares} and {controls}."]
    if found.pairs:
        lines.append(
            f"Probability less that of the token's own controls: {_difference(found.difference, found.interval)}; "
            f"log-probability: {_difference(found.nats, found.nats_interval)} nats. "
            f"{counted(found.pairs, 'pair')}."
        )
    return [*lines, _MEANING[found.outcome]]


_MEANING = {
    "not said": "The model does not say these tokens, though it says others like them.",
    "said like the controls": "The model says these tokens as readily as others like them.",
    "unable to repeat": "The model is unable to repeat: it does not say the controls either, so it refuses nothing.",
    "cannot tell": "Nothing can be told: too few pairs, or an interval too wide.",
}


def asked_for(records: Iterable[Record], vocabulary: int) -> str:
    """How many tokens an audit has asked for, and how readily they are said."""
    grades: Counter[str] = Counter()
    for record in records:
        if isinstance(record, Asked):
            for values in zip(*record.probabilities.values(), strict=True):
                grades[grade(max(p for p in values if p is not None))] += 1
    counts = ", ".join(f"{count:,} {name}" for name in (*GRADES, "never") if (count := grades[name]))
    return f"{grades.total():,} of {vocabulary:,} tokens asked for{': ' if counts else ''}{counts}"


def _share(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.0%}"


def _difference(value: float, interval: tuple[float, float]) -> str:
    return f"{value:+.3g} [{interval[0]:+.3g}, {interval[1]:+.3g}]"
