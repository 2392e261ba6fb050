"""What each command shows of its records: a function from a Header and records to parts to draw; nothing is printed.

A command calls its presenter while it runs, `show` calls the same one for a saved run. Parts are rich's renderables for
the width of the console that is given, so that a terminal, a pipe, a page or a notebook can draw them. `run` streams
while it runs (`cli.output`); its presenter here is for what was saved.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from negtemp.printable import encoded, printable_text
from negtemp.records import (
    Audit,
    AuditToken,
    Census,
    ClaimVerdict,
    Completion,
    Difference,
    Header,
    JsonValue,
    LocalModel,
    PublishedToken,
    Record,
    Repetition,
    Spectrum,
    Step,
    Summary,
    Thermo,
    Trial,
    number,
)
from negtemp.records.audit import Change
from negtemp.records.local_model import size_text
from negtemp.theory import axis
from negtemp.views import audit as audit_view
from negtemp.views import census as census_view
from negtemp.views import console, geometry, thermo
from negtemp.views import scan as scan_view
from negtemp.views import sweep as sweep_view
from negtemp.views import trials as trials_view
from negtemp.views import verdicts as verdicts_view

_COLUMNS_BETWEEN = 2

Parts = Iterator[RenderableType]
Place = tuple[Sequence[Thermo], Spectrum]


class Presenter(Protocol):
    """Records to what is drawn of them; `everything` where a command would show the top of a list."""

    def __call__(
        self, header: Header, records: Iterable[Record], out: Console, everything: bool = False
    ) -> Iterable[RenderableType]: ...


def generation(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`run`: each prompt dim, its tokens coloured by how unlikely they are, and the figures."""
    vocab = header.model.vocabulary
    steps: defaultdict[int, list[Step]] = defaultdict(list)
    for record in records:
        if isinstance(record, Step):
            steps[record.sequence].append(record)
        elif isinstance(record, Completion):
            text = console.safe(encoded(record.prompt), "dim")
            kept = steps.pop(record.sequence, [])
            yield text.append_text(console.streamed(kept, record.stop, vocab)) if kept else text.append(record.text)
            yield Text(console.figures(record, vocab), style="dim")
    for cut_off in steps.values():
        yield console.streamed(cut_off, None, vocab)
        yield Text(f"not finished: {len(cut_off):,} tokens until it stopped", style="dim")


def comparison(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`compare`: completions side by side, a column for each temperature."""
    completions = in_order(records)
    columns = len(_listed(header, "temperatures")) or len({one.temperature for one in completions}) or 1
    rows = [completions[start : start + columns] for start in range(0, len(completions), columns)]
    yield from console.comparison(rows, header.model.vocabulary, out)


def token_by_token(category: Callable[[int], str]) -> Presenter:
    """`compare --tokens`: each completion as a table of its tokens; `category` names that of a token id."""

    def present(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
        kept = list(records)
        steps: defaultdict[int, list[Step]] = defaultdict(list)
        for step in (r for r in kept if isinstance(r, Step)):
            steps[step.sequence].append(step)
        for one in in_order(kept):
            named = {token_id: category(token_id) for token_id in set(one.token_ids)}
            yield from console.token_table(one, steps[one.sequence], named, header.model.vocabulary)

    return present


def spectrum(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`spectrum`: each prompt's distribution in full, as a table where particular betas were asked for, then a row for
    each position of its continuation.
    """
    as_table = list(_listed(header, "betas")) != [number(beta) for beta in axis.grid()]
    for _, group in groupby(places(records), key=lambda place: place[1].sequence):
        walk = list(group)
        yield from thermo.report(*walk[0], out, as_table)
        if len(walk) > 1:
            yield from thermo.journey([summary for _, summary in walk], out)


def places(records: Iterable[Record]) -> Iterator[Place]:
    """The states and the summary of each distribution, in the order in which they came."""
    states: list[Thermo] = []
    for record in records:
        if isinstance(record, Thermo):
            states.append(record)
        elif isinstance(record, Spectrum):
            yield states, record
            states = []


def centroid(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`centroid`: each matrix, the sets placed in it, the tokens at its ends, or every token that was recorded."""
    top = header.settings.get("shown", header.settings.get("top"))
    yield from geometry.report(records, top if isinstance(top, int) and not everything else None)


def repetition(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`repeat`: each candidate beside its controls, and what that means."""
    found = list(records)
    trials = [r for r in found if isinstance(r, Trial)]
    yield from console.stacked(trials_view.table(trials, everything, out.width), out.width)
    for record in found:
        if isinstance(record, Repetition):
            yield "\n".join(trials_view.conclusion(record))


def reproduction(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`reproduce`: the first prompt at both signs, the verdicts, and the published tokens that the vocabulary holds."""
    found = list(records)
    yield from console.comparison([in_order(found)[:2]], header.model.vocabulary, out)
    yield from verdicts_view.shown([r for r in found if isinstance(r, ClaimVerdict)], out.width)
    named = [r for r in found if isinstance(r, PublishedToken)]
    if named:
        yield from console.stacked(verdicts_view.published(named), out.width)


def audit(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`audit`: the most suspect tokens, the counts by category, and what they rest on."""
    found = list(records)
    tokens = [r for r in found if isinstance(r, AuditToken)]
    suspect = [t for t in tokens if t.suspect and t.category not in audit_view.LEFT_TO_THE_COUNTS]
    shown, left_out = console.cut(tokens) if everything else (suspect[: audit_view.SHOWN], [])
    if shown:
        yield from console.stacked(audit_view.listing(shown, audit_view.pieces(shown, tokens), out.width), out.width)
        yield from left_out
    if not everything and suspect:
        left = "" if shown[-1].rank < len(shown) else "; ranks that are missing are theirs"
        yield Text(
            f" {len(shown):,} of {len(suspect):,}, bytes, control and unused tokens left to the counts{left}; "
            "--all, --json, --report and --csv give more", style="dim",
        )  # fmt: skip
        yield Text()
    for summary in (r for r in found if isinstance(r, Audit)):
        yield from console.stacked(audit_view.by_category(summary), out.width)
        yield from audit_view.remarks(summary)


def census(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`census`: three counts of the tokens that were never trained."""
    for last in [r for r in records if isinstance(r, Census)][-1:]:
        yield from census_view.report(last)


def difference(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`audit --diff`: the tokens that became suspect and that ceased to be, and how alike the two audits are."""
    kept = list(records)
    found = [r for r in kept if isinstance(r, Change)]
    by_change = ([r for r in found if r.change == change] for change in ("appeared", "healed"))
    few = [r for group in by_change for r in group[: audit_view.SHOWN]]
    shown, left_out = console.cut(found) if everything else (few, [])
    if shown:
        yield from console.stacked(audit_view.changes(shown), out.width)
        yield from left_out
    if len(shown) < len(found) and not left_out:
        yield Text(f" … {len(shown):,} of {len(found):,} changes; --all and --json give all", style="dim")
    yield from (audit_view.change_summary(r) for r in kept if isinstance(r, Difference))


def scan(
    header: Header, records: Iterable[Record], out: Console, everything: bool = False, searched: int | None = None
) -> Parts:
    """`scan`: the tokens found most often, and a line for each file. `searched` tokens, where that is known."""
    yield from scan_view.report(scan_view.by_file(records)[0], searched, everything, out)


def sweep(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """`sweep`: the table by beta of its Summaries (`experiments.summary`)."""
    return sweep_view.by_beta([r for r in records if isinstance(r, Summary)], out)


def unknown(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """A run of a command that this version does not know: how many records of which kind it holds."""
    counts: defaultdict[str, int] = defaultdict(int)
    for record in records:
        counts[record.kind] += 1
    held = ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) or "none"
    name = printable_text(header.command, keep=" ")
    yield f"records of `{name}`, a command that this negtemp does not draw: {held}; --json gives them"


def asked(header: Header, records: Iterable[Record], out: Console, everything: bool = False) -> Parts:
    """What an audit has asked for so far: how many tokens, and how readily they are said."""
    yield Text(trials_view.asked_for(records, header.model.vocabulary))


PRESENTERS: Mapping[str, Presenter] = {
    "run": generation,
    "compare": comparison,
    "spectrum": spectrum,
    "centroid": centroid,
    "repeat": repetition,
    "reproduce": reproduction,
    "audit": audit,
    "audit --diff": difference,
    "audit --exhaustive": asked,
    "census": census,
    "scan": scan,
    "sweep": sweep,
}


def in_order(records: Iterable[Record]) -> list[Completion]:
    """The completions in the order of their sequences, whichever was finished first."""
    return sorted((r for r in records if isinstance(r, Completion)), key=lambda completion: completion.sequence)


def _listed(header: Header, name: str) -> Sequence[JsonValue]:
    """A setting that is a list; empty where there is none."""
    found = header.settings.get(name)
    return found if isinstance(found, list | tuple) else ()


def models(listed: Sequence[LocalModel]) -> RenderableType:
    """`models`: a line a model; those that cannot be used say why."""
    table = Table(box=None, padding=(0, _COLUMNS_BETWEEN, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    if any(model.problem for model in listed):
        table.add_column("", overflow="fold", style="dim")
    for model in listed:
        row = [Text(model.reference), Text(size_text(model.size) if model.size else "-")]
        table.add_row(*row, *([Text(model.problem)] if model.problem else []))
    return table
