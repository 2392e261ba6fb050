"""What changed between two audits, on a terminal or in a pipe. Pieces stand last in a row."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from negtemp.printable import printable
from negtemp.records.audit import Change, Difference
from negtemp.views import console
from negtemp.views.audit import number, probability


def changes(found: Sequence[Change]) -> Table:
    """One row a token: what it was in the first model and what it is in the second."""
    asked = any(t.probability is not None for change in found for t in (change.before, change.after))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("change", no_wrap=True)
    for name in ("id", "score", *(["p"] if asked else []), "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("piece", overflow="fold")
    for change in found:
        old, new = change.before, change.after
        p = [f"{probability(old.probability)} → {probability(new.probability)}"] if asked else []
        table.add_row(
            Text(change.change, style="#e0a000 bold" if change.change == "appeared" else "dim"), str(new.token_id),
            f"{number(old.score, '.2f')} → {number(new.score, '.2f')}", *p, f"{old.rank} → {new.rank}",
            console.safe(new.raw, keep=""),
        )  # fmt: skip
    return table


def summary(found: Difference) -> str:
    """The whole in three sentences."""
    first, second = (printable(name.encode(), keep=" ") for name in found.names)
    by_name = ", ".join(f"{name} {number(value, '.4f')}" for name, value in found.by_indicator.items())
    return (
        f"From {first} to {second}, of {found.tokens:,} tokens: {found.appeared:,} became suspect, "
        f"{found.healed:,} ceased to be, {found.both:,} are suspect in both. Rank correlation of the score "
        f"{number(found.correlation, '.4f')}. By indicator: {by_name}."
    )
