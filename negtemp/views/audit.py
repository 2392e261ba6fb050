"""An audit on a terminal or in a pipe: the most suspect tokens, the counts by category, what they rest on, and what
changed between two audits.

Pieces stand last in a row, so that right-to-left letters disturb nothing. It leaves out the report (`audit_report`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from negtemp.printable import printable_text
from negtemp.records import Audit, AuditToken
from negtemp.records.audit import AgainstCounts, CategoryCounts, Change, Difference, LevelFigures
from negtemp.views import console
from negtemp.views.census import warnings

SHOWN = 25
WIDE = 80
LEFT_TO_THE_COUNTS = ("byte-ascii", "byte-utf8", "byte-invalid", "control", "unused")

_OUT_OF_REACH = ("special-looking", "partial-utf8", "unreachable-single", "unreachable-several")

_VERDICT_STYLE = {"strong": "#e0a000 bold", "weak": "#c8a83c", "rejected": "dim", None: ""}
COUNTS = {
    "tokens": "tokens", "candidates": "suspect", "verified": "asked", "strong": "strong", "weak": "weak",
    "rejected": "rejected", "below_0_01": "p<0.01",
}  # fmt: skip


def chosen(tokens: Sequence[AuditToken], every: bool) -> list[AuditToken]:
    """The tokens worth a line: suspect or asked for, or all of them."""
    return [t for t in tokens if every or t.suspect or t.asked]


def pieces(tokens: Sequence[AuditToken], everything: Sequence[AuditToken]) -> dict[int, bytes]:
    """The bytes of the tokens that hold these."""
    wanted = {holder for token in tokens for holder in token.superstrings}
    return {token.token_id: token.raw for token in everything if token.token_id in wanted}


def groups(tokens: Sequence[AuditToken]) -> dict[str, list[AuditToken]]:
    """The tokens worth a line by what asking for them showed, each with its title; groups of none are left out."""
    unasked = [t for t in tokens if t.suspect and t.verdict is None]
    found = {
        "The model cannot say (p < 0.001)": [t for t in tokens if t.verdict == "strong"],
        "The model hardly says (p < 0.1)": [t for t in tokens if t.verdict == "weak"],
        "Suspect, but said when asked (p >= 0.1)": [t for t in tokens if t.suspect and t.verdict == "rejected"],
        "Suspect, not asked, and text can hold them": [t for t in unasked if t.category == "normal"],
        "Suspect, and no text leads to them": [t for t in unasked if t.category in _OUT_OF_REACH],
    }
    return {title: group for title, group in found.items() if group}


def left_to_the_counts(tokens: Sequence[AuditToken]) -> list[AuditToken]:
    """Suspect bytes, control and unused tokens that were not asked for: every model has them."""
    return [t for t in tokens if t.suspect and t.verdict is None and t.category in LEFT_TO_THE_COUNTS]


def ranges(numbers: Sequence[int]) -> str:
    """Ascending whole numbers in few words.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for value in numbers:
        if runs and value == runs[-1][-1] + 1:
            runs[-1][1:] = [value]
        else:
            runs.append([value])
    return ", ".join("-".join(map(str, run)) for run in runs)


def listing(tokens: Sequence[AuditToken], pieces: Mapping[int, bytes], width: int = WIDE) -> Table:
    """One row for each token; columns of asking only if any was asked, longer tokens only where `width` leaves room.

    `pieces` names the tokens that hold others.
    """
    asked = any(token.asked for token in tokens)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("rank", "id", "score", *(["p"] if asked else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for name in (*(["verdict"] if asked else []), "category"):
        table.add_column(name, no_wrap=True)
    table.add_column("piece", overflow="fold", max_width=console.PIECE_WIDTH)
    if width >= WIDE:
        table.add_column("part of", overflow="fold", max_width=console.PIECE_WIDTH)
    for token in tokens:
        cells = [str(token.rank), str(token.token_id), number(token.score, ".2f")]
        cells += [probability(token.probability)] if asked else []
        words = [Text(token.verdict or "-", style=_VERDICT_STYLE[token.verdict])] if asked else []
        words += [Text(token.category), console.safe(token.raw, keep="")]
        table.add_row(*cells, *words, *([_holders(token, pieces)] if width >= WIDE else []))
    return table


def _holders(token: AuditToken, pieces: Mapping[int, bytes]) -> Text:
    """The first tokens that hold this one; by their ids where a saved run holds no record of them."""
    shown = [
        console.safe(pieces[i], "dim", keep="") if i in pieces else Text(f"#{i}", style="dim")
        for i in token.superstrings[:3]
    ]
    more = len(token.superstrings) - len(shown)
    text = Text(", ", style="dim").join(shown)
    return text.append(f" +{more}" if shown and more > 0 else "", "dim")


def by_category(audit: Audit) -> Table:
    """Counts by category; p<0.01 is the literature's headline count."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("category", no_wrap=True)
    for title in COUNTS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for category, counts in audit.categories.items():
        table.add_row(Text(category), *(str(getattr(counts, name) or "-") for name in COUNTS))
    return table


def remarks(audit: Audit) -> Iterator[str]:
    """What the figures rest on, a sentence each; the first says what was found."""
    total = {name: sum(getattr(counts, name) for counts in audit.categories.values()) for name in COUNTS}
    if audit.problem:
        yield f"{audit.problem}."
    else:
        yield (
            f"{total['candidates']:,} of {total['tokens']:,} tokens are suspect"
            + (f"; of {total['verified']:,} asked for, the model all but cannot say {total['below_0_01']:,} (p < 0.01)."
               if audit.can_verify else ".")
        )  # fmt: skip
        yield _scale(audit)
    yield from warnings(audit.level)
    yield _controls(audit)
    normal = audit.categories.get("normal", CategoryCounts())
    left = normal.candidates - normal.verified
    if audit.can_verify and left > 0:
        yield (
            f"At least {left:,} suspect tokens were not asked for: two windows of 64 in a row confirmed fewer than "
            "one in ten. --exhaustive asks for all."
        )
    if audit.truth is not None:
        yield from truth(audit.truth)


def _scale(audit: Audit) -> str:
    if audit.level is not None:
        return _by_level(audit.level, audit.threshold is not None)
    where = f"{audit.reference.source}, {audit.reference.tokens} rows"
    if audit.structure is None or math.isnan(audit.structure):
        return (
            "The model has no level of tokens never trained, and no token is known to be unused; in their place: "
            f"{where}. The score is a rank, not a distance."
        )
    if audit.structure < 0.5:
        return (
            "The model has no level of tokens never trained, and those known to be unused do not lie below those in "
            f"use ({where}; AUC {audit.structure:.3f}). The score is a rank, not a distance."
        )
    return (
        "The model has no level of tokens never trained. Score 0 is a token like those in use, 0.5 half-way to those "
        f"known to be unused ({where}), 1 the core of the suspects. Known to be unused and in use: AUC "
        f"{audit.structure:.3f} by the mean logit."
    )


def _by_level(level: LevelFigures, has_threshold: bool) -> str:
    sentence = (
        f"{level.tokens:,} tokens have the same logits in all contexts, within {level.radius:.2g} nats, at a mean "
        f"probability of {level.probability:.1e}: the level of what was never trained. Score 1 is that level, 0 a "
        f"usual token in use, {level.usual:.1f} nats away"
    )
    if has_threshold:
        sentence += (
            f"; suspect is what lies within {level.threshold:.1f} nats, where the law of tokens in use expects "
            f"{level.false_share:.2%} of the list to be such"
        )
    return f"{sentence}."


def _controls(audit: Audit) -> str:
    controls = audit.controls
    if not controls.tokens:
        return "The model was not asked for any token, so no verdict is given."
    said = f"{controls.rejected} of {controls.tokens} reference tokens are said with p >= 0.1"
    if controls.said:
        return f"{said}, so that silence about others means something."
    return f"{said}, fewer than two in three: the model's silence proves nothing, and no verdict is given."


def truth(known: AgainstCounts) -> Iterator[str]:
    """The figures against known counts."""
    yield (
        f"Against the counts: {known.never:,} tokens never seen, {known.rare:,} seen 1 to 5 times. "
        f"Candidates never seen: precision {share(known.precision)}, recall {share(known.recall)}; "
        f"seen at most 5 times: precision {share(known.precision_with_rare)}, "
        f"recall {share(known.recall_with_rare)}."
    )
    yield (
        f"The ranking: AUC {number(known.auc_never, '.4f')} for never seen and {number(known.auc_rare, '.4f')} "
        f"for 1 to 5 times, each against 6 or more; recall {share(known.recall_at_95_precision)} at 95 % precision."
    )


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else format(value, form)


def share(value: float | None) -> str:
    return number(value, ".1%")


def probability(value: float | None) -> str:
    """A probability in few letters.

    >>> probability(0.25), probability(1e-9), probability(None)
    ('0.25', '1e-09', '-')
    """
    return number(value, ".2g")


def changes(found: Sequence[Change]) -> Table:
    """One row a token: what it was in the first model and what it is in the second."""
    asked = any(t.asked for change in found for t in (change.before, change.after))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("change", no_wrap=True)
    for name in ("id", "score", *(["p"] if asked else []), "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("piece", overflow="fold", max_width=console.PIECE_WIDTH)
    for change in found:
        old, new = change.before, change.after
        p = [f"{probability(old.probability)} → {probability(new.probability)}"] if asked else []
        table.add_row(
            Text(change.change, style="#e0a000 bold" if change.change == "appeared" else "dim"), str(new.token_id),
            f"{number(old.score, '.2f')} → {number(new.score, '.2f')}", *p, f"{old.rank} → {new.rank}",
            console.safe(new.raw, keep=""),
        )  # fmt: skip
    return table


def change_summary(found: Difference) -> str:
    """The whole in three sentences."""
    first, second = (printable_text(name, keep=" ") for name in found.names)
    by_name = ", ".join(f"{name} {number(value, '.4f')}" for name, value in found.by_indicator.items())
    return (
        f"From {first} to {second}, of {found.tokens:,} tokens: {found.appeared:,} became suspect, "
        f"{found.healed:,} ceased to be, {found.both:,} are suspect in both. Rank correlation of the score "
        f"{number(found.correlation, '.4f')}. By indicator: {by_name}."
    )
