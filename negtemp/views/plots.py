"""Plots as images, by matplotlib (the extra `plot`): the spectrum of one distribution, or of several laid over another.

The size and every byte of the file depend on the records alone. Text is never read as mathematics, and a label that
the font cannot draw, or would draw in the wrong direction, is written in ASCII escapes. It leaves out the terminal
(`thermo`) and the file (`cli`).
"""

import importlib.util
import io
import math
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from negtemp.printable import encoded, printable, to_ascii
from negtemp.records import Spectrum, Thermo
from negtemp.views.beta_axis import BetaAxis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")

Place = tuple[Sequence[Thermo], Spectrum]

_SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a token may be "$x"
    "text.usetex": False,
    "svg.hashsalt": "negtemp",
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
}
_LEGEND_MOST = 8
_LABEL_LONGEST = 48
_DOMINANT_NAMES = 3


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def spectrum(places: Sequence[Place], suffix: str) -> bytes:
    """The image of one distribution, or of several in one set of axes, as the bytes of a .png or .svg file."""
    return image(lambda figure: _draw(figure, places), suffix)


def image(draw: Callable[["Figure"], None], suffix: str, inches: tuple[float, float] = (11, 8)) -> bytes:
    """What `draw` puts into an empty figure, as the bytes of a .png or .svg file."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        cast(dict[str, Any], matplotlib.rcParams).update(_SETTINGS)
        figure = Figure(figsize=inches, dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        buffer = io.BytesIO()
        undated = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(buffer, format=suffix.removeprefix("."), metadata=undated)
        return buffer.getvalue()


def _draw(figure: "Figure", places: Sequence[Place]) -> None:
    (entropy, energy), (capacity, density) = figure.subplots(2, 2)
    axis = BetaAxis.over([state.beta for states, _ in places for state in states])
    labels = _labels([summary for _, summary in places])
    for (states, summary), colour, label in zip(places, _colours(len(places)), labels, strict=True):
        xs = [axis.place(state.beta) for state in states]
        for axes, ys in (
            (entropy, [state.entropy for state in states]),
            (energy, [state.energy for state in states]),
            (capacity, [state.heat_capacity for state in states]),
        ):
            axes.plot(xs, ys, color=colour, label=label, linewidth=1.6)
        _mark(entropy, axis, summary, colour, named=len(places) == 1)
        density.stairs(summary.density.counts, summary.density.edges, color=colour, linewidth=1.2)
    for axes, name in ((entropy, "entropy S (nats)"), (energy, "energy U (nats)"), (capacity, "heat capacity C")):
        _beta_axis(axes, axis, name)
    density.set(xlabel="logit (nats)", ylabel="tokens", yscale="symlog", title="density of logits")
    density.set_ylim(bottom=0)
    density.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if 1 < len(places) <= _LEGEND_MOST:
        energy.legend(fontsize=7, loc="upper right")  # U falls all the way, so this corner is free
    figure.suptitle(_title([summary for _, summary in places]), fontsize=10)


def _mark(axes: "Axes", axis: BetaAxis, summary: Spectrum, colour: Any, named: bool) -> None:
    """ln V, and where S has fallen to half of it."""
    axes.axhline(summary.max_entropy, color="grey", linewidth=0.8, linestyle=":")
    if named:
        _mark_plateau(axes, axis, summary)
        axes.annotate("ln V", (-axis.end, summary.max_entropy), (3, -9), textcoords="offset points", fontsize=8)
    for beta in (summary.half_entropy.positive, summary.half_entropy.negative):
        if beta is None or not axis.holds(beta):
            continue
        place = axis.place(beta), summary.max_entropy / 2
        axes.axvline(place[0], color=colour, linewidth=0.8, linestyle="--")
        axes.plot(*place, "o", color=colour, markersize=4)
        if named:
            axes.annotate(f"S = ln(V)/2\nβ = {beta:.4g}", place, (6, -4), textcoords="offset points", fontsize=8)


def _mark_plateau(axes: "Axes", axis: BetaAxis, summary: Spectrum) -> None:
    """Where S rests on its way down, with the number of tokens that stand equal there."""
    for shelf in (summary.shelf.positive, summary.shelf.negative):
        if shelf is not None and axis.holds(shelf.beta):
            place = axis.place(shelf.beta), math.log(shelf.tokens)
            axes.plot(*place, "v", color="#c8a83c", markersize=5)
            axes.annotate(
                f"{shelf.tokens:,.0f} tokens", place, (0, -14), textcoords="offset points", fontsize=8, ha="center"
            )


def _beta_axis(axes: "Axes", axis: BetaAxis, name: str) -> None:
    """beta below, T above, 0 in the middle."""
    ticks = axis.ticks()
    axes.set(xlim=(-axis.end, axis.end), xlabel="β = 1/T", title=name)
    axes.set_xticks([tick.place for tick in ticks], [tick.beta for tick in ticks])
    axes.axvline(0, color="lightgrey", linewidth=0.8, zorder=0)
    above = axes.secondary_xaxis("top")
    above.set_xticks([tick.place for tick in ticks], [tick.temperature for tick in ticks], fontsize=7, color="grey")
    above.set_xlabel("T", fontsize=7, color="grey")


def _colours(count: int) -> list[Any]:
    """cividis, dark to light: readable in grey and with any colour vision."""
    from matplotlib import colormaps

    return [colormaps["cividis"](0.15 + 0.7 * index / max(1, count - 1)) for index in range(count)]


def _labels(summaries: Sequence[Spectrum]) -> list[str]:
    """What tells the curves of one plot apart: the prompt, or the position after it."""
    if len({summary.sequence for summary in summaries}) == 1:
        return [f"after {summary.position} more tokens" for summary in summaries]
    return [_prompt(s) + (f" and {s.position} more tokens" if s.position else "") for s in summaries]


def _title(summaries: Sequence[Spectrum]) -> str:
    """The prompt and who rules; of several prompts only how many."""
    prompts = len({summary.sequence for summary in summaries})
    if prompts > 1:
        return f"the next token at every temperature, after {prompts} prompts"
    first = summaries[0]
    lines = [f"the next token after: {_prompt(first)}"]
    if len(summaries) > 1:
        return f"{lines[0]}, and after each of {len(summaries) - 1} more"
    return "\n".join([*lines, f"below zero: {_names(first, -1)}", f"above zero: {_names(first, 1)}"])


def _prompt(summary: Spectrum) -> str:
    return _cut(text(encoded(summary.prompt)))


def _names(summary: Spectrum, sign: int) -> str:
    tokens = summary.rulers.of(sign)[:_DOMINANT_NAMES]
    return ",  then ".join(f"{token.token_id} '{_cut(text(token.raw))}'" for token in tokens)


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_LONGEST else label[: _LABEL_LONGEST - 1] + "…"


def text(data: bytes) -> str:
    """The safe view of bytes, in ASCII escapes where the font lacks a letter or letters run from right to left."""
    shown = printable(data, keep=" ")
    return shown if all(map(_drawable, shown)) else to_ascii(shown)


@cache
def _drawable(character: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    leftward = unicodedata.bidirectional(character) in ("R", "AL", "AN")
    return not leftward and font.get_char_index(ord(character)) != 0
