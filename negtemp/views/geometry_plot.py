"""The geometry of embedding and unembedding as an image: the shell of each, and the two against each other.

Each shell is a histogram of distances, ordinary tokens beside the rest, with the tokens of every placed set as ticks
above it. Untied matrices are also drawn against each other, a dot for each token. It needs a record for every token;
the file and the font are those of `plots`.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from negtemp.records import MatrixGeometry, Placement, Record, TokenGeometry
from negtemp.views import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 80
_COLOURS = ("#d1495b", "#00798c", "#6a4c93", "#edae49", "#3a3a3a")


def geometry(records: Iterable[Record], suffix: str) -> bytes:
    """The image, as the bytes of a .png or .svg file."""
    kept = list(records)
    shells = [r for r in kept if isinstance(r, MatrixGeometry)]
    placements = [r for r in kept if isinstance(r, Placement) and r.among == "all"]
    tokens = [r for r in kept if isinstance(r, TokenGeometry) and r.distance is not None]
    panels = len(shells) + (len(shells) == 2)
    return plots.image(lambda figure: _draw(figure, panels, shells, placements, tokens), suffix, (5.2 * panels, 4.6))


def _draw(
    figure: "Figure", panels: int, shells: Sequence[MatrixGeometry], placements: Sequence[Placement],
    tokens: Sequence[TokenGeometry],
) -> None:  # fmt: skip
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for shell, place in zip(shells, axes, strict=False):
        _shell(
            place, shell, [p for p in placements if p.matrix == shell.matrix],
            [t for t in tokens if t.matrix == shell.matrix],
        )  # fmt: skip
    if panels > len(shells):
        _against(axes[-1], placements, tokens)


def _shell(
    axes: "Axes", shell: MatrixGeometry, placements: Sequence[Placement], tokens: Sequence[TokenGeometry]
) -> None:
    distances = {token.token_id: token.distance or 0.0 for token in tokens}
    ordinary = [token.distance or 0.0 for token in tokens if token.ordinary_percentile is not None]
    others = [token.distance or 0.0 for token in tokens if token.ordinary_percentile is None]
    axes.hist(
        [ordinary, others], bins=_BINS, stacked=True, color=["#8d99ae", "#2b2d42"],
        label=["ordinary tokens", "bytes, control, unused"],
    )  # fmt: skip
    top = axes.get_ylim()[1]
    for number, placement in enumerate(placements):
        at = [distances[token_id] for token_id in placement.token_ids if token_id in distances]
        height = top * (1.04 + 0.05 * number)
        axes.plot(at, [height] * len(at), "|", color=_COLOURS[number % len(_COLOURS)], label=placement.source)
    name = "embedding = unembedding (tied)" if shell.tied else shell.matrix
    axes.set(title=f"{name}: {shell.rows:,} × {shell.dim:,}", xlabel="distance to the centroid", ylabel="tokens")
    axes.legend(fontsize=7)


def _against(axes: "Axes", placements: Sequence[Placement], tokens: Sequence[TokenGeometry]) -> None:
    inward, outward = (
        {t.token_id: t.percentile or 0.0 for t in tokens if t.matrix == matrix}
        for matrix in ("embedding", "unembedding")
    )
    both = sorted(inward.keys() & outward.keys())
    axes.plot([inward[i] for i in both], [outward[i] for i in both], ".", color="#8d99ae", markersize=2)
    sets = [p for p in placements if p.matrix == "embedding"]
    for number, placement in enumerate(sets):
        ids = [token_id for token_id in placement.token_ids if token_id in inward and token_id in outward]
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(
            [inward[i] for i in ids], [outward[i] for i in ids], "o", color=colour, markersize=4, label=placement.source
        )
    axes.set(title="percentiles", xlabel="in the embedding", ylabel="in the unembedding")
    if sets:
        axes.legend(fontsize=7)
