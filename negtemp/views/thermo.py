"""A spectrum on a terminal or in a pipe: charts of S, U, C and the density of logits, or a table with bars; the most
probable tokens.

The charts need plotext (`charts`); without it, and where particular betas were asked for, the states are a table. Model
text is always made safe by `printable`, and stands last in its line. It leaves out images (`plots`).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from negtemp.printable import counted, printable_text, to_ascii
from negtemp.records import Spectrum, Thermo
from negtemp.records.thermo import PlacedToken
from negtemp.theory.axis import position
from negtemp.theory.temperature import Temperature
from negtemp.views import charts
from negtemp.views.beta_axis import BetaAxis
from negtemp.views.console import PIECE_WIDTH, safe

Piece = Table | Text

_SIDES = ((1, "above zero"), (-1, "below zero"))
_WIDEST, _TWO_COLUMNS = 110, 88
_CHART_HEIGHT = 12
_BAR = " ▏▎▍▌▋▊▉█"


def report(states: Sequence[Thermo], spectrum: Spectrum, console: Console, as_table: bool = False) -> list[Piece]:
    """All that is shown of one distribution, top to bottom."""
    ascii_only = console.options.ascii_only
    width = min(console.width, _WIDEST)
    drawn: list[Piece]
    if as_table:
        drawn = [table(states, spectrum, width, ascii_only)]
    elif charts.available():
        drawn = [_charts(states, spectrum, width, ascii_only)]
    else:
        drawn = [table(_thinned(states), spectrum, width, ascii_only)]
    return [
        heading(spectrum, ascii_only),
        Text(),
        *drawn,
        Text(),
        *figures(spectrum, ascii_only),
        *dominant(spectrum, ascii_only),
    ]


def heading(spectrum: Spectrum, ascii_only: bool) -> Text:
    """The prompt, and after how many tokens of its continuation."""
    prompt = printable_text(spectrum.prompt, keep=" ")
    prompt = to_ascii(prompt) if ascii_only else prompt
    after = f" and {counted(spectrum.position, 'token')} more" if spectrum.position else ""
    return Text.assemble(("the next token after", "dim"), (after, "dim"), ": ", (prompt, "bold"))


def _charts(states: Sequence[Thermo], spectrum: Spectrum, width: int, ascii_only: bool) -> Text:
    """Four panels, two by two where there is room."""
    stacked = width < _TWO_COLUMNS
    panels = [*_state_panels(states, spectrum, not stacked, ascii_only), _density_panel(spectrum)]
    if stacked:
        rows = [charts.lines(panel, width, _CHART_HEIGHT, ascii_only) for panel in panels]
        return Text("\n".join(line for row in rows for line in row), no_wrap=True)
    half = (width - 2) // 2
    drawn = [charts.lines(panel, half, _CHART_HEIGHT, ascii_only) for panel in panels]
    pairs = [f"{left}  {right}" for a, b in (drawn[:2], drawn[2:]) for left, right in zip(a, b, strict=True)]
    return Text("\n".join(pairs), no_wrap=True)


def _state_panels(states: Sequence[Thermo], spectrum: Spectrum, crowded: bool, ascii_only: bool) -> list[charts.Panel]:
    axis = BetaAxis.over([state.beta for state in states])
    xs = [axis.place(state.beta) for state in states]
    ticks = axis.ticks(crowded)
    halves = [axis.place(beta) for beta in map(spectrum.half_entropy.of, (1, -1)) if beta and axis.holds(beta)]

    def panel(title: str, ys: Sequence[float], level: float | None = None, marks: Sequence[float] = ()) -> charts.Panel:
        return charts.Panel(
            title, xs, ys, (-axis.end, axis.end), [(tick.place, tick.beta) for tick in ticks],
            [(tick.place, tick.temperature) for tick in ticks], (), level, marks,
        )  # fmt: skip

    return [
        panel(
            f"entropy S, nats (T above, {_beta(ascii_only)} below)",
            [state.entropy for state in states],
            spectrum.max_entropy,
            halves,
        ),
        panel("energy U, nats", [state.energy for state in states]),
        panel("heat capacity C", [state.heat_capacity for state in states]),
    ]


def _density_panel(spectrum: Spectrum) -> charts.Panel:
    """Tokens by logit; their number on a logarithmic scale, or a vocabulary's few likely tokens would not show."""
    density = spectrum.density
    middles = [(low + high) / 2 for low, high in pairwise(density.edges)]
    decades = [10**power for power in range(len(str(max(density.counts))))]
    low, high = density.edges[0], density.edges[-1]
    return charts.Panel(
        "tokens by logit, nats", middles, [math.log10(1 + count) for count in density.counts], (low, high),
        [(place, f"{place:.4g}") for place in (low, density.mean, high)],
        y_ticks=[(0.0, "0"), *((math.log10(1 + count), str(count)) for count in decades)], bars=True,
    )  # fmt: skip


def _thinned(states: Sequence[Thermo]) -> list[Thermo]:
    """The states at every half unit of the axis, and those at the infinities."""
    return [s for s in states if math.isinf(s.beta) or abs(position(s.beta) * 2 % 1 - 0.5) > 0.499]


def table(states: Sequence[Thermo], spectrum: Spectrum, width: int, ascii_only: bool) -> Table:
    """A row for each state: a bar of S as a share of ln V, and the probability of the dominant token."""
    drawn = _table(_beta(ascii_only), "T", "S", "", "U", "C", "top p")
    drawn.columns[3].justify = "left"
    room = max(3, min(30, width - 56))
    for state in states:
        share = state.entropy / spectrum.max_entropy if spectrum.max_entropy else 0.0
        first, rest = _state(state)
        drawn.add_row(*first, bar(share, room, ascii_only), *rest)
    return drawn


def plain_table(states: Sequence[Thermo]) -> Table:
    """The same without a bar, for where a picture stands beside it."""
    drawn = _table("β", "T", "S (nats)", "U (nats)", "C", "top p")
    for state in states:
        first, rest = _state(state)
        drawn.add_row(*first, *rest)
    return drawn


def _state(state: Thermo) -> tuple[list[str], list[str]]:
    """A row's figures, up to S and behind it."""
    return [
        f"{state.beta:.4g}", f"{Temperature.of_beta(state.beta).temperature:.3g}", f"{state.entropy:.3f}"
    ], [f"{state.energy:.2f}", f"{state.heat_capacity:.3f}", f"{state.probability:.3g}"]  # fmt: skip


def bar(share: float, room: int, ascii_only: bool) -> str:
    """A bar `room` columns long at a share of 1, in eighths of a column.

    >>> bar(0.5, 3, False)
    '█▌'
    """
    if ascii_only:
        return "#" * round(share * room)
    eighths = round(min(max(share, 0.0), 1.0) * room * 8)
    return "█" * (eighths // 8) + (_BAR[eighths % 8] if eighths % 8 else "")


def figures(spectrum: Spectrum, ascii_only: bool) -> list[Piece]:
    """The figures: V and ln V, S at T = 1, where S has halved, from which beta on the dominant token holds half."""
    masked = f" ({spectrum.masked:,} masked)" if spectrum.masked else ""
    drawn = _table("", _beta(ascii_only), "T")
    drawn.columns[0].justify = "left"
    for what, pair in (("S = ln(V)/2", spectrum.half_entropy), ("top p = 1/2", spectrum.half_share)):
        for sign, side in _SIDES:
            beta = pair.of(sign)
            at = Temperature.of_beta(beta).temperature if beta is not None else None
            drawn.add_row(f"{what}, {side}", _short(beta), _short(at))
    return [
        Text(f"{spectrum.tokens:,} tokens{masked}, ln V = {spectrum.max_entropy:.3f} nats"),
        Text(f"at T=1: S = {spectrum.entropy:.3f} nats, as of {math.exp(spectrum.entropy):,.4g} equal tokens"),
        *_plateaus(spectrum, ascii_only),
        Text(), drawn,
    ]  # fmt: skip


def _plateaus(spectrum: Spectrum, ascii_only: bool) -> list[Text]:
    """Where S rests on its way down, and how many tokens stand equal there."""
    name = _beta(ascii_only)
    found = [(side, spectrum.shelf.of(sign)) for sign, side in _SIDES]
    return [
        Text(f"{side} S rests at {name} = {at.beta:.3g}: exp(S) = {at.tokens:,.4g}, C = {at.heat_capacity:.3f}")
        for side, at in found
        if at is not None
    ]


def _table(*names: str) -> Table:
    """A table of figures to the right, without an edge."""
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    return drawn


def dominant(spectrum: Spectrum, ascii_only: bool) -> list[Piece]:
    """The tokens that each sign favours most; the piece last, so that right-to-left letters disturb nothing."""
    pieces: list[Piece] = []
    for sign, side in _SIDES:
        ties = spectrum.ties.of(sign)
        tied = f" ({ties:,} tie for it)" if ties > 1 else ""
        pieces += [
            Text(),
            Text(f"most probable at every T {side}{tied}, and what comes next:"),
            _ranking(spectrum, sign, ascii_only),
        ]
    return pieces


def _ranking(spectrum: Spectrum, sign: int, ascii_only: bool) -> Table:
    drawn = _table("id", "logit", "behind", "p at T=1")
    drawn.add_column("category", no_wrap=True)
    drawn.add_column("piece", overflow="fold", max_width=PIECE_WIDTH)
    tokens = spectrum.rulers.of(sign)
    for token in tokens:
        drawn.add_row(
            str(token.token_id), f"{token.logit:.3f}", f"{abs(token.logit - tokens[0].logit):.3g}",
            f"{math.exp(token.logprob):.3g}", Text(token.category), piece(token, ascii_only),
        )  # fmt: skip
    return drawn


def journey(places: Sequence[Spectrum], console: Console) -> list[Piece]:
    """How the dominant tokens change along a continuation, below an empty line."""
    return [Text(), *walk(places, console.options.ascii_only)]


def walk(places: Sequence[Spectrum], ascii_only: bool = False) -> list[Piece]:
    """The same as parts: what stands here, a row for each position, and the counts."""
    drawn = _table("#", "S", "half +", "half -", "plateau", "top +", "top -")
    drawn.add_column("drawn", overflow="fold", max_width=PIECE_WIDTH)
    for place in places:
        drawn.add_row(
            str(place.position), f"{place.entropy:.3f}", _short(place.half_entropy.positive),
            _short(place.half_entropy.negative), _plateau(place), _top_id(place, 1), _top_id(place, -1),
            Text("-", style="dim") if place.following is None else piece(place.following, ascii_only),
        )  # fmt: skip
    what = f"along it; half: {_beta(ascii_only)} of S = ln(V)/2, plateau: tokens below zero"
    return [Text(what), drawn, *(_changes(places, sign, side) for sign, side in _SIDES)]


def _changes(places: Sequence[Spectrum], sign: int, side: str) -> Text:
    ids = [_top_id(place, sign) for place in places]
    changes = sum(before != after for before, after in pairwise(ids))
    steps, different = len(ids) - 1, len(set(ids))
    return Text(f"{side}: top changed {changes} times in {steps} steps, {different} different")


def _plateau(place: Spectrum) -> str:
    return "-" if place.shelf.negative is None else f"{place.shelf.negative.tokens:,.0f}"


def _top_id(place: Spectrum, sign: int) -> str:
    return "-" if place.ties.of(sign) == place.tokens > 1 else str(place.rulers.of(sign)[0].token_id)


def _short(beta: float | None) -> str:
    return "-" if beta is None else f"{beta:.4g}"


def piece(token: PlacedToken, ascii_only: bool = False) -> Text:
    """The safe view of a token; escaped here where the output is ASCII, so that columns have their true width."""
    return Text(to_ascii(token.piece)) if ascii_only else safe(token.raw, keep="")


def _beta(ascii_only: bool) -> str:
    return "beta" if ascii_only else "β"
