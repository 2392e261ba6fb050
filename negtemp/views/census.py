"""A census in the terminal: one line for each of the three counts, what lies at the level, what the counts rest on."""

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from negtemp.records.audit import LevelFigures
from negtemp.records.census import Census, ListCount, PlateauCount

_RUNAWAY = 0.05


def report(record: Census) -> Iterator[RenderableType]:
    """The parts of a report, one below the other."""
    yield Text(f"How many of {record.vocabulary:,} tokens were never trained?")
    for name, (count, *about) in _ways(record).items():
        yield from _way(name, count, *about)
    yield from map(Text, sentences(record))


def table(record: Census) -> Table:
    """A row for each way to count."""
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    found.add_column("way", no_wrap=True)
    found.add_column("tokens", justify="right", no_wrap=True)
    found.add_column("how", overflow="fold")
    for name, (count, *about) in _ways(record).items():
        found.add_row(Text(name), Text(count), Text("\n".join(about)))
    return found


def sentences(record: Census) -> Iterator[str]:
    """What the counts say together, and what makes them doubtful."""
    yield f"{record.agreement[:1].upper()}{record.agreement[1:]}."
    yield from warnings(record.level)


def _ways(record: Census) -> Mapping[str, tuple[str, ...]]:
    """Each way to count: the count, then what it rests on."""
    return {
        "plateau": _plateau(record.plateau),
        "level": _level(record.level, record.by_category),
        "list": _listed(record.listed),
    }


def _way(name: str, count: str, *about: str) -> Iterator[RenderableType]:
    yield Text.assemble((f"{name:<9}", "bold"), (count, "bold"))
    for line in about:
        yield Padding(Text(line), (0, 0, 0, 9), expand=False)


def _plateau(found: PlateauCount | None) -> tuple[str, ...]:
    if found is None:
        return (
            "none",
            "Below zero the entropy rests nowhere: what was never trained, if anything, does not lie below all else.",
        )
    return (
        f"{found.tokens:,.0f} [{found.low:,.0f}, {found.high:,.0f}]",
        f"exp(S) where the entropy rests below zero, of the flattest of {found.plateaus} contexts that have a plateau "
        f"({found.contexts} looked at), heat capacity {found.heat_capacity:.2f}; in brackets the flattest quarter.",
    )


def _level(found: LevelFigures | None, by_category: Mapping[str, int]) -> tuple[str, ...]:
    if found is None:
        return "none", "No eight tokens have the same logits in all contexts."
    low, high = min(found.by_group), max(found.by_group)
    return (
        f"{found.tokens:,} [{low:,}, {high:,}]",
        f"tokens whose logits coincide in all contexts, within {found.radius:.2g} nats, where a usual token lies "
        f"{found.usual:.1f} nats away; mean probability {found.probability:.2e}; in brackets by each quarter of the "
        "contexts.",
        "of them " + ", ".join(f"{count:,} {category}" for category, count in by_category.items()),
    )


def _listed(found: ListCount) -> tuple[str, ...]:
    rows = f" and {found.padding_rows:,} rows beyond the vocabulary" if found.padding_rows else ""
    named = ", ".join(f"{count:,} {category}" for category, count in found.by_category.items())
    at_level = f"; {found.at_level:,} of them lie at the level" if found.at_level is not None and found.tokens else ""
    return (
        f"{found.tokens + found.padding_rows:,}",
        f"by the file's own names, types and bytes: {named or 'none'}{rows}{at_level}",
    )


def warnings(found: LevelFigures | None) -> Iterator[str]:
    """What makes the contexts doubtful, a sentence each."""
    if found is not None and found.runaway > _RUNAWAY:
        yield (
            f"The contexts ran away: {found.runaway:.0%} of the tokens that the model wrote for them are suspect "
            "themselves, so its figures describe what it does after such tokens."
        )
