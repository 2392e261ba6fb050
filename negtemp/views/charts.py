"""Line and bar charts of a terminal, as lines of text, by plotext where it is installed (the extra `plot`).

A chart has no colour, so it reads the same in a pipe. Where the output is not UTF-8 it is drawn in ASCII. It leaves out
what is drawn, which is `thermo`'s to say.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_TO_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│", "+++++++++-|")


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. Ticks are (place, label); a level is a horizontal line, verticals are vertical ones."""

    title: str
    xs: Sequence[float]
    ys: Sequence[float]
    x_range: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]]
    top_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    level: float | None = None
    verticals: Sequence[float] = ()
    bars: bool = False


def available() -> bool:
    """Whether plotext is installed, in the version whose interface this module speaks."""
    if importlib.util.find_spec("plotext") is None:
        return False
    import plotext

    return hasattr(plotext, "figure")


def lines(panel: Panel, width: int, height: int, ascii_only: bool) -> list[str]:
    """The chart as `height` lines of `width` characters."""
    import plotext

    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.title(panel.title)
    _draw(figure, panel, "*" if ascii_only else "hd")
    _rule(figure, panel)
    text: str = figure.build().string(colorless=True)
    figure.clear()
    return [line.translate(_TO_ASCII) if ascii_only else line for line in text.rstrip("\n").split("\n")]


def _draw(figure: Any, panel: Panel, marker: str) -> None:
    for vertical in panel.verticals:
        figure.line(vertical, "vertical")
    if panel.level is not None:
        figure.line(panel.level)
    if panel.bars:
        figure.draw(figure.bar(list(panel.xs), list(panel.ys), marker=marker, width=1))
    else:
        figure.draw(figure.signal(list(panel.xs), list(panel.ys), marker=marker).lines())


def _rule(figure: Any, panel: Panel) -> None:
    low, high = min(panel.ys), max(panel.ys if panel.level is None else [*panel.ys, panel.level])
    if low == high:  # a flat curve still needs a height to stand in
        low, high = low - 1, high + 1
    figure.ruler("y").lim(low, high)
    if panel.y_ticks:
        figure.ruler("y").ticks(*_columns(panel.y_ticks))
    for side, ticks in (("lower", panel.x_ticks), ("upper", panel.top_ticks)):
        if ticks:
            ruler = figure.ruler("x", side)
            ruler.lim(*panel.x_range)
            ruler.ticks(*_columns(ticks))


def _columns(ticks: Sequence[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [place for place, _ in ticks], [label for _, label in ticks]
