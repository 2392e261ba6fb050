"""The geometry of embedding and unembedding on a terminal or in a pipe: the shell, categories, placements, the ends.

Model text is always made safe by `printable`, and stands last in its line. It leaves out the image
(`geometry_plot`).
"""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from negtemp.records import MatrixGeometry, Placement, Record, TokenGeometry
from negtemp.views.console import PIECE_WIDTH, cut, safe

Piece = Table | Text

_READING = (
    "percentile 0 is the token nearest to the centroid; AUC 1: nearer than all the rest, 0.5: like the rest, 0: farther"
)
_SHOWN_QUANTILES = ("0.01", "0.25", "0.5", "0.75", "0.99")


def report(records: Iterable[Record], top: int | None) -> list[Piece]:
    """All that is shown, matrix by matrix; `top` tokens at each end, or every token where it is None."""
    kept = list(records)
    pieces: list[Piece] = []
    for summary in (r for r in kept if isinstance(r, MatrixGeometry)):
        placements = [r for r in kept if isinstance(r, Placement) and r.matrix == summary.matrix]
        tokens = [r for r in kept if isinstance(r, TokenGeometry) and r.matrix == summary.matrix]
        pieces += [*shell(summary), categories(summary)]
        pieces += [placements_table(placements)] if placements else []
        pieces += every(tokens) if top is None else ends(tokens, top)
    return [*pieces, Text(_READING, style="dim")]


def shell(summary: MatrixGeometry) -> list[Piece]:
    """What the matrix is, and how far from their centroid its tokens lie."""
    role = "embedding and unembedding, tied" if summary.tied else summary.matrix
    padding = f", {summary.padding_rows:,} rows of padding left out" if summary.padding_rows else ""
    quantiles = " · ".join(
        f"{100 * float(share):g}% {_figure(summary.quantiles.get(share))}" for share in _SHOWN_QUANTILES
    )
    mean, deviation = summary.distance_mean, summary.distance_deviation
    thickness = f", a shell {deviation / mean:.0%} thick" if mean and deviation is not None else ""
    return [
        Text.assemble((role, "bold"), f": {summary.rows:,} × {summary.dim:,}, {summary.type}{padding}"),
        Text(
            f"norm of the centroid {_figure(summary.centroid_norm)}, of a row {_figure(summary.norm_mean)} on average"
        ),
        Text(f"distance to the centroid {_figure(mean)} ± {_figure(deviation)}{thickness}"),
        Text(f"share of tokens within: {quantiles}"),
    ]


def categories(summary: MatrixGeometry) -> Table:
    """Each category of tokens, and where the middle one of it lies."""
    table = _table("category", "tokens", "median percentile")
    for name, found in sorted(summary.categories.items(), key=lambda item: -item[1].tokens):
        table.add_row(Text(name), f"{found.tokens:,}", _percentile(found.median_percentile))
    return table


def placements_table(placements: Sequence[Placement]) -> Table:
    """Each set among all tokens and, dimmed, its ordinary tokens among the ordinary ones."""
    table = _table("set", "tokens", "median", "AUC", "p")
    for record in placements:
        name, style = (record.source, "") if record.among == "all" else ("  ordinary only", "dim")
        auc = "–" if record.auc is None else f"{record.auc:.3f}"
        figures = f"{len(record.token_ids):,}", _percentile(record.median_percentile), auc, _p(record.p)
        table.add_row(Text(name), *figures, style=style)
    return table


def every(tokens: Sequence[TokenGeometry]) -> list[Piece]:
    """As many tokens as a table shows, nearest first."""
    shown, left_out = cut(tokens)
    return [*_tokens("every token, nearest first", shown), *left_out]


def ends(tokens: Sequence[TokenGeometry], top: int) -> list[Piece]:
    """The nearest tokens with and without bytes and control tokens, and the farthest ordinary ones."""
    order = sorted((t for t in tokens if t.percentile is not None), key=lambda t: t.percentile or 0.0)
    ordinary = [t for t in order if t.ordinary_percentile is not None]
    pieces = [*_tokens("nearest", order[:top])]
    if ordinary[:top] != order[:top]:
        pieces += _tokens("nearest, without bytes, control and unused tokens", ordinary[:top])
    return [*pieces, *_tokens("farthest, without bytes, control and unused tokens", ordinary[-top:][::-1])]


def _tokens(title: str, tokens: Sequence[TokenGeometry]) -> list[Piece]:
    table = _table("category", "id", "distance", "cosine", "percentile")
    table.add_column("piece", overflow="fold", max_width=PIECE_WIDTH)
    for token in tokens:
        table.add_row(
            Text(token.category), str(token.token_id), _figure(token.distance), _figure(token.cosine),
            _percentile(token.percentile), safe(token.raw, keep=""),
        )  # fmt: skip
    return [Text(title, style="italic"), table]


def _table(first: str, *right: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _percentile(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def chance(value: float | None) -> str:
    """A p as a sentence holds it."""
    shown = _p(value)
    return "no p" if value is None else f"p {shown}" if shown.startswith("≤") else f"p = {shown}"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}" if value >= 0.0002 else "≤ 0.0001"
