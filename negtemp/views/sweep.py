"""A sweep on a terminal or in a pipe: a table by beta, a mean over its interval in every cell.

Columns that do not fit the width go into a further table below, each with its beta, so nothing is cropped; in a pipe
there is one table. It leaves out charts.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from negtemp.printable import counted, printable_text
from negtemp.records import Estimate, Failure, Forecast, Merged, Summary

_EDGE, _GAP = 2, 3
_INTERVALS = (
    "mean and 95 % interval: bootstrap over prompts (over completions where there is one prompt); stop reasons: Wilson"
)
_NONE = Estimate(None, None, None)


class _Column(NamedTuple):
    """A heading and what each row shows under it."""

    heading: str
    cells: list[str]

    @property
    def width(self) -> int:
        return max(len(self.heading), *map(len, self.cells))


def by_beta(summaries: Sequence[Summary], console: Console) -> Iterator[Table | Text]:
    """The tables, and what their intervals mean."""
    if not summaries:
        yield Text("no unit is finished yet")
        return
    first, *others = _columns(summaries)
    while others:
        count = _fitting(first, others, console.width)
        yield _table([first, *others[:count]])
        others = others[count:]
    yield Text(_INTERVALS, style="dim")


def whole(summaries: Sequence[Summary]) -> Iterator[Table | Text]:
    """One table of all columns, and what their intervals mean, for where width is no matter."""
    yield _table(_columns(summaries))
    yield Text(_INTERVALS, style="dim")


def merged(record: Merged) -> Iterator[str]:
    """What came together and what is missing, a line each."""
    failed = f", {record.failed:,} could not be generated" if record.failed else ""
    yield (
        f"{counted(len(record.runs), 'run')} merged: {record.finished:,} of {counted(record.units, 'unit')}, "
        f"{record.added:,} of them new{failed}"
    )
    for shard, count in record.missing.items():
        where = "" if shard == "all" else f" of shard {shard}"
        yield f"missing: {count:,} units{where}"
    for what, names in (("machines", record.machines), ("platforms", record.platforms)):
        if len(names) > 1:
            listed = printable_text(", ".join(names), keep=" ")
            yield f"made on {len(names)} {what} ({listed}): the last bits of the logits may differ between them"


def _columns(summaries: Sequence[Summary]) -> list[_Column]:
    def column(heading: str, show: Callable[[Summary], str]) -> _Column:
        return _Column(heading, [show(summary) for summary in summaries])

    def figure(name: str, digits: int, scale: float = 1.0) -> Callable[[Summary], str]:
        return lambda summary: _estimate(summary.figures.get(name), digits, scale)

    def share(table: str, name: str) -> Callable[[Summary], str]:
        return lambda summary: _estimate(getattr(summary, table).get(name, Estimate(0.0, None, None)), 0, 100)

    known = any(summary.figures.get("median_centroid_percentile", _NONE).value is not None for summary in summaries)
    centroid = [column("centroid pct", figure("median_centroid_percentile", 0))] if known else []
    columns = [
        column("β", lambda s: _signed(s.temperature.beta)),
        column("T", lambda s: _signed(s.temperature.temperature)),
        column("units", lambda s: str(s.units)),
        column("log-prob", figure("mean_logprob", 2)),
        column("rank", figure("mean_rank", 0)),
        column("entropy", figure("mean_entropy", 2)),
        column("distinct %", figure("distinct", 0, 100)),
        column("repeat", figure("longest_repeat", 1)),
        column("non-ASCII %", figure("non_ascii", 0, 100)),
        *centroid,
        *(column(f"{_safe(name)} %", share("categories", name)) for name in _names(summaries, "categories")),
        *(column(f"stop: {_safe(name)} %", share("stops", name)) for name in _names(summaries, "stops")),
    ]
    errors = [column("errors", lambda s: str(s.errors))] if any(s.errors for s in summaries) else []
    return columns[:3] + errors + columns[3:]


def _names(summaries: Sequence[Summary], table: str) -> list[str]:
    return sorted({name for summary in summaries for name in getattr(summary, table)})


def _safe(name: str) -> str:
    """A name out of a file that anyone may have written."""
    return printable_text(name, keep=" ")


def _signed(value: float) -> str:
    return "0" if value == 0 and math.copysign(1, value) > 0 else f"{value:+.4g}"


def _estimate(estimate: Estimate | None, digits: int, scale: float) -> str:
    """`mean [low, high]`; the mean alone where the interval has no width or there is none."""
    if estimate is None or estimate.value is None:
        return "-"
    value, low, high = (None if end is None else f"{end * scale:,.{digits}f}" for end in estimate)
    return f"{value}" if low is None or low == value == high else f"{value} [{low}, {high}]"


def _fitting(first: _Column, others: Sequence[_Column], width: int) -> int:
    """How many of the others stand beside the first; at least one."""
    used, count = first.width + _EDGE, 0
    while count < len(others) and used + _GAP + others[count].width <= width:
        used += _GAP + others[count].width
        count += 1
    return max(1, count)


def _table(columns: Sequence[_Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        table.add_column(Text(column.heading), justify="right", no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def forecast(found: Forecast) -> list[tuple[str, str]]:
    """What `--dry-run` shows, as (name, value)."""
    left = found.units - found.finished
    done = f", {found.finished:,} of them finished" if found.finished else ""
    return [
        ("units", f"{found.units:,}{done}"),
        ("at once", f"{found.sequences} sequences"),
        ("tokens", f"{found.tokens:,} at most"),
        ("memory", f"{found.memory / 2**20:,.0f} MiB: model, KV cache and logits"),
        ("time", duration(found.seconds) + " at most" if left else "none: all is done"),
    ]


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(4), duration(200), duration(9000)
    ('4 s', '3 min 20 s', '2 h 30 min')
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def failure(record: Failure) -> str:
    """One line about a unit that could not be."""
    prompt = _safe(record.prompt)
    start = prompt if len(prompt) <= 40 else prompt[:39] + "…"
    return f"prompt “{start}”: {_safe(record.reason)}"
