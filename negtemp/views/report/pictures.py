"""What the pictures of a report look like: each function makes a Panel of figures that somebody else has chosen.

Above zero is blue and below zero orange, everywhere; the two can be told apart with any colour vision and in grey, and
what matters is written beside its mark. Axes name their units. It leaves out which figures (the modules of this package
that are named after a subject) and how a panel becomes SVG (`svg`).
"""

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from negtemp.records import Thermo
from negtemp.records.thermo import Density
from negtemp.views.beta_axis import BetaAxis
from negtemp.views.plots import text as drawable
from negtemp.views.report.document import Panel
from negtemp.views.report.svg import ABOVE, ACCENT, BELOW, INK, MUTED, NEUTRAL, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_LABEL, _LONGEST_UNIT = 30, 50
_ROW_INCHES, _ROWS_MARGIN = 0.27, 0.75


@dataclass(frozen=True)
class Mark:
    """A place on a curve, and what is written there."""

    beta: float
    value: float
    words: str


@dataclass(frozen=True)
class Row:
    """One row of a dot plot: a figure, its interval where it has one, and other figures to compare it with."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    colour: str = ABOVE
    shown: str = ""
    others: Sequence[tuple[str, float]] = ()


def side(beta: float) -> str:
    """The colour of a beta's sign."""
    return ABOVE if beta > 0 else BELOW if beta < 0 else NEUTRAL


def by_beta(
    title: str, unit: str, states: Sequence[Thermo], value: Callable[[Thermo], float], level: tuple[str, float] | None,
    marks: Sequence[Mark] = (),
) -> Panel:  # fmt: skip
    """A curve over the whole axis of beta, T above it; `level` is a horizontal line with its name."""
    axis = BetaAxis.over([state.beta for state in states])

    def draw(axes: "Axes") -> None:
        _beta_axis(axes, axis)
        axes.set_ylabel(unit)
        for colour, part in (
            (BELOW, [s for s in states if s.beta <= 0]),
            (ABOVE, [s for s in states if s.beta >= 0]),
        ):
            axes.plot([axis.place(s.beta) for s in part], [value(s) for s in part], color=colour, linewidth=1.8)
        if level is not None:
            axes.axhline(level[1], color=MUTED, linewidth=0.8, linestyle=":")
            axes.annotate(level[0], (-axis.end, level[1]), (2, 3), textcoords="offset points", fontsize=8, color=MUTED)
        for mark in marks:
            _mark(axes, axis, mark)

    ends = sorted(states, key=lambda s: s.beta)
    alternative = (
        f"{title} by beta: {value(ends[0]):.4g} at beta = {ends[0].beta:g}, "
        f"{value(min(ends, key=lambda s: abs(s.beta))):.4g} at beta = 0, {value(ends[-1]):.4g} at "
        f"beta = {ends[-1].beta:g}"
        if ends
        else title
    )
    return Panel(title, alternative, draw)


def _mark(axes: "Axes", axis: BetaAxis, mark: Mark) -> None:
    if not axis.holds(mark.beta):
        return
    place = axis.place(mark.beta)
    axes.plot([place], [mark.value], "o", color=side(mark.beta), markersize=4)
    axes.annotate(mark.words, (place, mark.value), (6, -4), textcoords="offset points", fontsize=8, color=INK, va="top")


def _beta_axis(axes: "Axes", axis: BetaAxis) -> None:
    """beta below and T above, with 0 in the middle."""
    ticks = axis.ticks(crowded=True)
    axes.set(xlim=(-axis.end, axis.end), xlabel="β = 1/T (T above)")
    axes.set_xticks([tick.place for tick in ticks], [tick.beta for tick in ticks], fontsize=8)
    axes.axvline(0, color=RULE, linewidth=0.8, zorder=0)
    above = axes.secondary_xaxis("top")
    above.set_xticks([tick.place for tick in ticks], [tick.temperature for tick in ticks], fontsize=8)
    above.spines["top"].set_visible(False)


def estimates(
    title: str, unit: str, betas: Sequence[float], points: Sequence[tuple[float, float, float] | None]
) -> Panel:
    """A mean and its interval at each beta; None where there is none."""
    axis = BetaAxis.over(betas)
    there = [(beta, point) for beta, point in zip(betas, points, strict=True) if point is not None]

    def draw(axes: "Axes") -> None:
        _beta_axis(axes, axis)
        axes.set_ylabel(unit)
        axes.grid(axis="y")
        axes.plot([axis.place(b) for b, _ in there], [p[0] for _, p in there], color=RULE, linewidth=1.2, zorder=1)
        for beta, (value, low, high) in there:
            place = axis.place(beta)
            axes.plot([place, place], [low, high], color=side(beta), linewidth=2, alpha=0.5)
            axes.plot([place], [value], "o", color=side(beta), markersize=4.5)

    words = "; ".join(f"{point[0]:.4g} at beta = {beta:g}" for beta, point in there) or "nothing"
    return Panel(title, f"{title} by beta: {words}", draw)


def density(found: Density) -> Panel:
    """How many tokens have which logit, on a logarithmic scale."""

    def draw(axes: "Axes") -> None:
        axes.stairs(found.counts, found.edges, color=NEUTRAL, fill=True, alpha=0.75)
        axes.set(xlabel="logit (nats)", ylabel="tokens", yscale="symlog")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for place, colour, words, align in (
            (found.lowest, BELOW, "T < 0 goes here", "left"), (found.highest, ABOVE, "T > 0 goes here", "right"),
        ):  # fmt: skip
            axes.annotate(
                words, (place, 1.0), xycoords=("data", "axes fraction"), color=colour, fontsize=8, ha=align, va="top"
            )

    return Panel(
        "tokens by logit",
        f"Histogram of the logits: from {found.lowest:.4g} to {found.highest:.4g} nats, mean {found.mean:.4g}, "
        f"standard deviation {found.deviation:.4g}",
        draw,
    )


def surprisals(lines: Sequence[tuple[str, int, Sequence[float]]], most: float) -> Panel:
    """Surprisal of each token by its position; a line is (label, sign of beta, values). `most` is ln V."""

    def draw(axes: "Axes") -> None:
        axes.axhline(most, color=MUTED, linewidth=0.8, linestyle=":")
        axes.annotate(
            "ln V: a token drawn from all alike", (0, most), (2, 3), textcoords="offset points", fontsize=8, color=MUTED
        )
        axes.set(xlabel="token", ylabel="surprisal at T=1 (nats)")
        axes.grid(axis="y")
        for _, sign, values in lines:
            axes.plot(range(len(values)), values, color=side(sign), linewidth=1.2, alpha=0.85)
        highest = max([most, *(value for _, _, values in lines for value in values if math.isfinite(value))])
        _end_labels(axes, [line for line in lines if line[2]], highest)
        axes.set_ylim(bottom=0)
        axes.margins(x=0.02)

    words = "; ".join(f"{label}: mean {_mean(values):.3g} nats" for label, _, values in lines)
    return Panel("surprisal of each token", f"Surprisal by position. {words}", draw, (5.6, 3.0))


def _end_labels(axes: "Axes", lines: Sequence[tuple[str, int, Sequence[float]]], highest: float) -> None:
    """A name at the end of each line, moved up where it would stand on another."""
    free = -math.inf
    ends = sorted((values[-1] if math.isfinite(values[-1]) else highest, label, sign, len(values) - 1)
                  for label, sign, values in lines)  # fmt: skip
    for end, label, sign, place in ends:
        y = max(end, free)
        free = y + highest * 0.065
        axes.annotate(
            label, (place, y), (6, 0), textcoords="offset points", fontsize=8, color=side(sign), va="center",
            annotation_clip=False,
        )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def dots(
    title: str, unit: str, rows: Sequence[Row], *, log: bool = False, limits: tuple[float, float] | None = None,
    lines: Sequence[tuple[float, str]] = (),
) -> Panel:  # fmt: skip
    """A row for each thing that is compared, first on top: its figure as a dot, others hollow, intervals as lines."""

    def draw(axes: "Axes") -> None:
        _mark_places(axes, lines)
        if log:
            _logarithmic(axes, "x")
        if limits is not None:
            axes.set_xlim(*limits)
        for height, row in enumerate(rows):
            _dot_row(axes, height, row)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [_label(row.label) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel(textwrap.fill(unit, _LONGEST_UNIT))

    words = "; ".join(f"{row.label} {row.shown or f'{row.value:.3g}'}" for row in rows)
    height = _ROWS_MARGIN + _ROW_INCHES * max(2, len(rows)) + (0.15 if lines else 0)
    return Panel(title, f"{title}: {words}", draw, (4.7, height))


def _dot_row(axes: "Axes", height: int, row: Row) -> None:
    axes.axhline(height, color=RULE, linewidth=0.5, zorder=0)
    if row.interval is not None:
        axes.plot(row.interval, (height, height), color=row.colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
    for words, value in row.others:
        axes.plot([value], [height], "o", markerfacecolor="none", markeredgecolor=NEUTRAL, markersize=5)
        if words:
            axes.annotate(
                _label(words), (value, height), (0, 5), textcoords="offset points", fontsize=7, color=MUTED, ha="center"
            )
    if math.isfinite(row.value):
        axes.plot([row.value], [height], "o", color=row.colour, markersize=5.5)
        if row.shown:
            axes.annotate(
                row.shown, (max(row.value, *(row.interval or (row.value, row.value))), height), (6, 0),
                textcoords="offset points", fontsize=8, va="center",
                annotation_clip=False,
            )  # fmt: skip


def _mark_places(axes: "Axes", lines: Sequence[tuple[float, str]]) -> None:
    """Upright lines at places on the first axis, each with its words above."""
    for place, words in lines:
        axes.axvline(place, color=MUTED, linewidth=0.8, linestyle=":")
        axes.annotate(
            words, (place, 1.0), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
            fontsize=8, color=MUTED, ha="center", va="bottom",
        )  # fmt: skip


def _logarithmic(axes: "Axes", which: str) -> None:
    """A logarithmic axis with plain figures: matplotlib's own are formulas, which are not set here."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(numticks=8))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _label(label: str) -> str:
    shown = drawable(label.encode("utf-8", "replace"))
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def bars(title: str, unit: str, rows: Sequence[tuple[str, Sequence[tuple[str, float, str]]]]) -> Panel:
    """Stacked horizontal bars: for each row parts of (what, how many, colour). The sum is written at the end."""

    def draw(axes: "Axes") -> None:
        most = max((sum(part[1] for part in parts) for _, parts in rows), default=1) or 1
        for height, (_, parts) in enumerate(rows):
            left = 0.0
            for _, count, colour in parts:
                axes.barh(height, count, left=left, color=colour, height=0.66)
                left += count
            words = " · ".join(f"{count:,.0f} {what}" for what, count, _ in parts if count)
            axes.annotate(words, (left, height), (4, 0), textcoords="offset points", fontsize=8, va="center")
        axes.set_xlim(0, most * 1.9)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [_label(label) for label, _ in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value <= most * 1.05 else "")
        axes.set_xlabel(unit)

    words = "; ".join(
        f"{label}: " + ", ".join(f"{count:,.0f} {what}" for what, count, _ in parts) for label, parts in rows
    )
    return Panel(title, f"{title}. {words}", draw, (4.7, _ROWS_MARGIN + _ROW_INCHES * max(2, len(rows))))


def histogram(
    title: str, unit: str, edges: Sequence[float], groups: Sequence[tuple[str, Sequence[float], str]], *,
    log: bool = False, lines: Sequence[tuple[float, str]] = (),
) -> Panel:  # fmt: skip
    """Counts between edges, a stack of (what, counts, colour)."""

    def draw(axes: "Axes") -> None:
        base = [0.0] * (len(edges) - 1)
        for what, counts, colour in groups:
            top = [low + count for low, count in zip(base, counts, strict=True)]
            axes.stairs(top, edges, baseline=base, fill=True, color=colour, alpha=0.8, label=what)
            base = top
        _mark_places(axes, lines)
        if log:
            _logarithmic(axes, "x")
        axes.set(xlabel=unit, ylabel="tokens")
        if len(groups) > 1:
            axes.legend(fontsize=8, frameon=False)

    words = "; ".join(f"{what}: {sum(counts):,.0f} tokens" for what, counts, _ in groups)
    return Panel(title, f"{title}: histogram. {words}", draw)


def scatter(title: str, across: str, up: str, points: Sequence[tuple[float, float]], *, log: bool = False) -> Panel:
    """A dot for each pair."""

    def draw(axes: "Axes") -> None:
        axes.plot([x for x, _ in points], [y for _, y in points], "o", color=ACCENT, markersize=4, alpha=0.8)
        if log:
            _logarithmic(axes, "y")
        axes.grid()
        axes.set(xlabel=across, ylabel=up)

    return Panel(title, f"{title}: {len(points)} points, {across} against {up}", draw)
