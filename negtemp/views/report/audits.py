"""The reports of `audit`, of `audit --diff`, of `census` and of `scan`: tokens that a model never learned."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from negtemp.records import Audit, AuditToken, Census, Difference, Plateau, Record
from negtemp.records.audit import Change
from negtemp.records.trial import CONFIRMED_BELOW, SAID_FROM, STRONG_BELOW
from negtemp.views import audit as audit_view
from negtemp.views import census as census_view
from negtemp.views import scan as scan_view
from negtemp.views.audit import groups, left_to_the_counts, ranges
from negtemp.views.report import pictures
from negtemp.views.report.document import LISTED, Part, Picture, Report, Saved, Section, Terms
from negtemp.views.report.pictures import Row
from negtemp.views.report.svg import ABOVE, ACCENT, BELOW, NEUTRAL, RULE

_WIDE = 200
_EDGES = [10.0**power for power in range(-12, 1)]


@dataclass
class _Kept:
    """What an audit's records come to: tokens worth a line, the bytes of all, the whole at the end."""

    tokens: list[AuditToken] = field(default_factory=list)
    pieces: dict[int, bytes] = field(default_factory=dict)
    count: int = 0
    audit: Audit | None = None

    @classmethod
    def of(cls, records: Iterable[Record]) -> "_Kept":
        kept = cls()
        for record in records:
            if isinstance(record, AuditToken):
                kept.count += 1
                kept.pieces[record.token_id] = record.raw
                kept.tokens += audit_view.chosen([record], False)
            elif isinstance(record, Audit):
                kept.audit = record
        return kept


def audit(saved: Saved, records: Iterable[Record]) -> Report:
    """`audit`: the suspects by what asking for them showed, and the counts by category."""
    kept = _Kept.of(records)
    summary = kept.audit
    sections = [Section("By category", [_categories(summary)])] if summary else []
    asked = [t for t in kept.tokens if t.probability is not None]
    if asked:
        sections.append(Section("What it says when asked", [_asked(asked)]))
    sections += _groups(kept)
    sections.append(Section("How to read this", [_terms()]))
    left = saved.header.model.vocabulary - len(kept.tokens)
    return Report(
        title="Tokens that this model never learned",
        lead="Some tokens of a vocabulary occur in hardly any text that a model was trained on, or in none. The model "
        "cannot use them sensibly, and a text that holds them makes it stumble. They are found from the model alone.",
        sections=[*sections], facts=_facts(summary) if summary else [(f"{len(kept.tokens):,}", "tokens listed")],
        verdicts=[*audit_view.remarks(summary), _left_out(left, saved)] if summary else [],
        missing=[] if summary else [
            f"This run was interrupted: {kept.count:,} tokens are there, and the whole that sums them up is not."
        ],
    )  # fmt: skip


def _left_out(count: int, saved: Saved) -> str:
    return (
        f"{count:,} of {saved.header.model.vocabulary:,} tokens are neither suspect nor asked for: they are not listed."
    )


def _facts(summary: Audit) -> list[tuple[str, str]]:
    total = {name: sum(getattr(c, name) for c in summary.categories.values()) for name in audit_view.COUNTS}
    normal = summary.categories.get("normal")
    found = [(f"{total['candidates']:,}", f"suspect of {total['tokens']:,} tokens")]
    if normal is not None:
        found.append((f"{normal.candidates:,}", "of them are ordinary tokens, which a text can hold"))
    if summary.can_verify:
        found.append((f"{total['below_0_01']:,}", f"that it all but cannot say (p < {CONFIRMED_BELOW:g})"))
    if summary.level is not None:
        found.append((f"{summary.level.tokens:,}", "at the level of tokens never trained"))
    return found


def _categories(summary: Audit) -> Picture:
    suspects = "other suspects" if any(c.verified for c in summary.categories.values()) else "suspect"
    rows = [
        (
            category,
            [
                ("cannot say", counts.strong, BELOW), ("hardly says", counts.weak, "#d9a066"),
                (suspects, max(0, counts.candidates - counts.strong - counts.weak), ACCENT),
                ("in use", counts.tokens - max(counts.candidates, counts.strong + counts.weak), RULE),
            ],
        )
        for category, counts in summary.categories.items()
    ]  # fmt: skip
    return Picture(
        "How many tokens of each category are suspect. Every model has bytes and control tokens that it never saw; "
        "“normal” are those that an ordinary text can lead to.",
        [pictures.bars("tokens by category", "tokens", rows)], [audit_view.by_category(summary)],
    )  # fmt: skip


def _asked(asked: Sequence[AuditToken]) -> Picture:
    """The probabilities, by powers of ten."""
    counts: dict[bool, list[int]] = {True: [0] * (len(_EDGES) - 1), False: [0] * (len(_EDGES) - 1)}
    for token in asked:
        power = math.floor(math.log10(max(token.probability or 0.0, _EDGES[0])))
        counts[token.suspect][min(len(_EDGES) - 2, power + len(_EDGES) - 1)] += 1
    table = Table()
    for name in ("p from", "to", "suspect", "not suspect"):
        table.add_column(name, justify="right")
    for place in range(len(_EDGES) - 1):
        low = "0" if place == 0 else f"{_EDGES[place]:g}"
        table.add_row(low, f"{_EDGES[place + 1]:g}", str(counts[True][place]), str(counts[False][place]))
    return Picture(
        "The greatest probability that the model gives a token when it is asked to say it. What lies left of 0.001 it "
        "cannot say; what lies right of 0.1 it says.",
        [pictures.histogram(
            "probability when asked", "probability, logarithmic; all below the first in the first", _EDGES,
            [("suspect", counts[True], BELOW), ("not suspect", counts[False], ABOVE)], log=True,
            lines=[(bound, f"{bound:g}") for bound in (STRONG_BELOW, CONFIRMED_BELOW, SAID_FROM)],
        )],
        [table],
    )  # fmt: skip


def _groups(kept: _Kept) -> Iterable[Section]:
    room = LISTED
    for title, group in groups(kept.tokens).items():
        shown = group[: max(0, room)]
        room -= len(shown)
        parts: list[Part] = []
        if shown:
            parts.append(audit_view.listing(shown, kept.pieces, _WIDE))
        if len(shown) < len(group):
            parts.append(f"{len(group) - len(shown):,} more are in the records and left out here.")
        yield Section(f"{title}: {len(group):,}", parts)
    left = left_to_the_counts(kept.tokens)
    if left:
        by_category = [
            (name, Text(ranges(sorted(t.token_id for t in left if t.category == name))))
            for name in sorted({t.category for t in left})
        ]
        yield Section(f"Suspect bytes, control and unused tokens, by their ids: {len(left):,}", [Terms(by_category)])


def _terms() -> Terms:
    meanings = {
        "score": "0 is like tokens in use; from 0.5 on a token is suspect; 1 is the core of the suspects.",
        "p": "The greatest probability of exactly this token when prompts ask the model to say it.",
        "verdict": f"strong: p < {STRONG_BELOW:g}, the model cannot say it; weak: p < {SAID_FROM:g}; rejected: it "
        "says it, so the suspicion is not confirmed.",
        "part of": "Longer tokens that hold this one. What only ever was a step of a merge is never seen alone.",
        "piece": "The token's text, made visible: ␠ is a space, \\x.. a byte that is no character by itself.",
    }
    return Terms([(name, Text(meaning)) for name, meaning in meanings.items()])


def difference(saved: Saved, records: Iterable[Record]) -> Report:
    """`audit --diff`: what became suspect and what ceased to be."""
    kept = list(records)
    found = [r for r in kept if isinstance(r, Change)]
    ends = [r for r in kept if isinstance(r, Difference)]
    parts: list[Part] = [audit_view.changes(found[:LISTED])] if found else ["No token changed."]
    if len(found) > LISTED:
        parts.append(f"{len(found) - LISTED:,} more changes are in the records and left out here.")
    return Report(
        title="Which tokens two models disagree about",
        lead="Two audits, token by token: what is suspect in one of the models and not in the other.",
        sections=[Section("The changes", parts)],
        facts=[
            (f"{count:,}", what)
            for one in ends
            for count, what in (
                (one.appeared, "became suspect"), (one.healed, "ceased to be suspect"), (one.both, "suspect in both"),
            )
        ],
        verdicts=[audit_view.change_summary(one) for one in ends],
        missing=[] if ends else ["This run was interrupted: the whole that sums it up is not there."],
    )  # fmt: skip


def census(saved: Saved, records: Iterable[Record]) -> Report:
    """`census`: the three counts beside each other, and the plateaus that one of them rests on."""
    kept = list(records)
    plateaus = [r for r in kept if isinstance(r, Plateau)]
    ends = [r for r in kept if isinstance(r, Census)][-1:]
    sections = [Section("Three counts", [*_counts(one)]) for one in ends]
    if plateaus:
        sections.append(Section("The plateaus, context by context", [_plateaus(plateaus)]))
    return Report(
        title="How many tokens were never trained?",
        lead="Three ways to count them that know nothing of one another: where the entropy of a distribution rests "
        "below zero; how many tokens have the same logits in every context; and what the file itself lists as unused.",
        sections=sections or [Section("Nothing yet", ["No context was looked at."])],
        facts=[pair for one in ends for pair in _census_facts(one)],
        verdicts=[sentence for one in ends for sentence in census_view.sentences(one)],
        missing=[] if ends else [
            f"This run was interrupted: {len(plateaus):,} contexts were looked at, and nothing was counted."
        ],
    )  # fmt: skip


def _census_facts(found: Census) -> list[tuple[str, str]]:
    return [
        ("none" if found.plateau is None else f"{found.plateau.tokens:,.0f}", "by the plateau below zero"),
        ("none" if found.level is None else f"{found.level.tokens:,}", "by the level, in all contexts"),
        (f"{found.listed.tokens + found.listed.padding_rows:,}", "by the file's own list"),
        (f"{found.vocabulary:,}", "tokens in the vocabulary"),
    ]


def _counts(found: Census) -> Iterable[Part]:
    rows = []
    if found.plateau is not None:
        p = found.plateau
        rows.append(Row("plateau", p.tokens, (p.low, p.high), BELOW, f"{p.tokens:,.0f}"))
    if found.level is not None:
        low, high = min(found.level.by_group), max(found.level.by_group)
        rows.append(Row("level", found.level.tokens, (low, high), ACCENT, f"{found.level.tokens:,}"))
    listed = found.listed.tokens + found.listed.padding_rows
    rows.append(Row("list", listed, None, NEUTRAL, f"{listed:,}"))
    most = max(row.value for row in rows)
    yield Picture(
        "The counts with their intervals. A list has none; it names what the file marks, not what was trained.",
        [pictures.dots("tokens never trained", "tokens", rows, limits=(0, most * 1.15 or 1))],
        [census_view.table(found)],
    )
    if found.by_category:
        table = Table()
        table.add_column("category of the tokens at the level")
        table.add_column("tokens", justify="right")
        for name, count in found.by_category.items():
            table.add_row(name, f"{count:,}")
        yield table


def _plateaus(plateaus: Sequence[Plateau]) -> Picture:
    there = [p for p in plateaus if p.tokens is not None and p.heat_capacity is not None]
    table = Table()
    for name in ("context", "beta", "tokens", "heat capacity"):
        table.add_column(name, justify="right")
    for one in plateaus[:LISTED]:
        figures = (audit_view.number(value, ".6g") for value in (one.beta, one.tokens, one.heat_capacity))
        table.add_row(str(one.context), *figures)
    points = [(p.tokens or 0.0, p.heat_capacity or 0.0) for p in there]
    panels = [
        pictures.scatter("flatness against count", "tokens on the plateau", "heat capacity there", points, log=True)
    ]
    return Picture(
        "Each dot is a context. The lower it lies, the flatter its plateau and the truer its count.",
        panels if there else [], [table],
    )  # fmt: skip


def scan(saved: Saved, records: Iterable[Record]) -> Report:
    """`scan`: the tokens found most often, and a line for each file."""
    files, unfinished = scan_view.by_file(records)
    found = scan_view.ordered(files)
    parts: list[Part] = [scan_view.table(found[:LISTED])] if found else ["None of the tokens was found."]
    if len(found) > LISTED:
        parts.append(f"{len(found) - LISTED:,} more rows are in the records and left out here.")
    lines = [scan_view.summary(one, [o for o in inside if o.tokens != 0]) for one, inside in files]
    return Report(
        title="Where under-trained tokens occur",
        lead="The tokens that an audit found suspect, looked for in texts: as the tokenizer makes them, and as strings "
        "that stand there.",
        sections=[Section("Found", parts), Section("The files", [*lines[:LISTED]])],
        facts=[(f"{len(files):,}", "files read"), (f"{sum(o.tokens or 0 for o in found):,}", "tokens found"),
               (f"{sum(o.strings for o in found):,}", "places where their text stands")],
        missing=["This run was interrupted: its last file was not read to the end."] if unfinished else [],
    )  # fmt: skip
