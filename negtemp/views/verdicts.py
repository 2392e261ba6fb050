"""The verdicts on the article's claims: a table, what each effect is and its further figures, the published tokens.

Every number stands beside its interval and its controls. Pieces stand last, so that right-to-left letters disturb
nothing.
"""

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from negtemp.records import ClaimVerdict, PublishedToken
from negtemp.views.console import PIECE_WIDTH, safe

_NARROWEST_TABLE = 100
_STYLES = {"holds": "bold green", "fails": "bold red", "cannot tell": "bold"}


def style(one: ClaimVerdict) -> str:
    """The style of a verdict, which its word says as well."""
    return _STYLES[one.verdict]


def shown(verdicts: Sequence[ClaimVerdict], width: int) -> list[RenderableType]:
    """A table with a row for each claim and a line on each below it; one below the other where that does not fit."""
    if width < _NARROWEST_TABLE:
        pieces: list[RenderableType] = []
        for one in verdicts:
            pieces += [_heading(one), *_below(one)]
        return pieces
    return [*whole(verdicts)]


def whole(verdicts: Sequence[ClaimVerdict]) -> list[Table | Text]:
    """The same for where width is no matter."""
    return [_table(verdicts), *(Text.assemble((one.claim, "bold"), ": ", "; ".join(_about(one))) for one in verdicts)]


def _table(verdicts: Sequence[ClaimVerdict]) -> Table:
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("claim", "verdict", "effect [95 %]"):
        found.add_column(name, no_wrap=True)
    found.add_column("n", justify="right", no_wrap=True)
    found.add_column("against", overflow="fold", max_width=PIECE_WIDTH)
    for one in verdicts:
        found.add_row(
            one.claim, Text(one.verdict, _STYLES[one.verdict]), _interval(one), str(one.n), _listed(one.controls, "\n")
        )
    return found


def _heading(one: ClaimVerdict) -> Text:
    return Text.assemble((one.claim, "bold"), ": ", (one.verdict, _STYLES[one.verdict]))


def _below(one: ClaimVerdict) -> list[Padding]:
    effect = f"effect {_interval(one)}, n = {one.n}; against {_listed(one.controls, ', ')}"
    return [Padding(Text(line), (0, 0, 0, 2)) for line in (effect, *_about(one))]


def _interval(one: ClaimVerdict) -> str:
    low, high = one.interval
    return "-" if math.isnan(one.effect) else f"{one.effect:.3g} [{low:.3g}, {high:.3g}]"


def _about(one: ClaimVerdict) -> list[str]:
    """What the effect is, the further figures, what to know besides."""
    return [part for part in (one.measure, _listed(one.figures, ", "), one.note) if part]


def _listed(values: Mapping[str, float], between: str) -> str:
    shown = ((name, "-" if math.isnan(value) else f"{value:.3g}") for name, value in values.items())
    return between.join(f"{name} {value}" for name, value in shown)


def published(tokens: Sequence[PublishedToken]) -> Table:
    """The published tokens that this vocabulary holds."""
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("id", "percentile", "emitted"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("published by", overflow="fold", max_width=PIECE_WIDTH)
    found.add_column("piece", overflow="fold", max_width=PIECE_WIDTH)
    for one in tokens:
        percentile = "-" if one.percentile is None else f"{one.percentile:.1f}"
        found.add_row(str(one.token_id), percentile, str(one.emitted), one.source, safe(one.raw, keep=""))
    return found
