"""The report of `centroid`: where tokens lie around the centroids of embedding and unembedding."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from negtemp.records import MatrixGeometry, Placement, Record, TokenGeometry
from negtemp.views import geometry
from negtemp.views.report import pictures
from negtemp.views.report.document import Part, Picture, Report, Saved, Section
from negtemp.views.report.pictures import Row
from negtemp.views.report.svg import ABOVE, ACCENT, NEUTRAL

_BINS = 40
_FARTHEST = 99.999


def centroid(saved: Saved, records: Iterable[Record]) -> Report:
    """A section for each matrix."""
    kept = list(records)
    shells = [r for r in kept if isinstance(r, MatrixGeometry)]
    sections = [_section(saved, shell, kept) for shell in shells]
    return Report(
        title="Who lies near the centre of the embedding",
        lead="A model holds a vector for each token that it reads (the embedding) and one for each token that it may "
        "write (the unembedding; in a tied model they are the same). Tokens that training hardly changed stay where "
        "they began, often near the mean of all: the centroid.",
        sections=sections or [Section("Nothing yet", ["No matrix was saved."])],
        facts=[(f"{shell.rows:,} × {shell.dim:,}", _name(shell)) for shell in shells],
        verdicts=[sentence for shell in shells for sentence in _sentences(shell, kept)],
        missing=_missing(shells, kept),
    )  # fmt: skip


def _missing(shells: Sequence[MatrixGeometry], kept: Sequence[Record]) -> list[str]:
    """Each matrix ends with its farthest token, and an embedding that is not tied is followed by an unembedding."""
    if not shells:
        return ["This run was interrupted before the first matrix was measured."]
    last = shells[-1]
    places = [r.percentile for r in kept if isinstance(r, TokenGeometry) and r.matrix == last.matrix]
    known = [place for place in places if place is not None]
    if not places or (known and max(known) < _FARTHEST):
        return [f"This run was interrupted: not all tokens of the {last.matrix} are there."]
    if last.matrix == "embedding" and not last.tied:
        return ["This run was interrupted: the unembedding is not there."]
    return []


def _name(shell: MatrixGeometry) -> str:
    return "embedding and unembedding, tied" if shell.tied else shell.matrix


def _sentences(shell: MatrixGeometry, kept: Sequence[Record]) -> Iterable[str]:
    for one in kept:
        if isinstance(one, Placement) and one.matrix == shell.matrix and one.among == "all" and one.auc is not None:
            nearer = "nearer than" if one.auc > 0.5 else "farther than"
            yield (
                f"In the {shell.matrix}, the {len(one.token_ids):,} tokens of “{one.source}” are {nearer} the rest "
                f"with a chance of {max(one.auc, 1 - one.auc):.0%} (AUC {one.auc:.3f}, {geometry.chance(one.p)})."
            )


def _section(saved: Saved, shell: MatrixGeometry, kept: Sequence[Record]) -> Section:
    placements = [r for r in kept if isinstance(r, Placement) and r.matrix == shell.matrix]
    tokens = [r for r in kept if isinstance(r, TokenGeometry) and r.matrix == shell.matrix]
    parts: list[Part] = [*geometry.shell(shell), _percentiles(shell, placements)]
    if len(tokens) == shell.rows and shell.rows > 1:
        parts.append(_distances(tokens))
    top = saved.header.settings.get("shown", saved.header.settings.get("top"))
    parts += geometry.ends(tokens, top if isinstance(top, int) and len(tokens) < shell.rows else 25)
    return Section(_name(shell)[:1].upper() + _name(shell)[1:], parts)


def _percentiles(shell: MatrixGeometry, placements: Sequence[Placement]) -> Picture:
    """The median percentile of each category and each placed set."""
    rows = [
        Row(name, found.median_percentile, None, NEUTRAL, f"{found.median_percentile:.0f}")
        for name, found in sorted(shell.categories.items(), key=lambda item: item[1].median_percentile or 0.0)
        if found.median_percentile is not None
    ]
    rows += [
        Row(f"set: {one.source}", one.median_percentile, None, ACCENT, f"{one.median_percentile:.0f}")
        for one in placements
        if one.among == "all" and one.median_percentile is not None
    ]
    return Picture(
        "Where the tokens of each category, and of each set that was asked about, lie: 0 is the token nearest to the "
        "centroid, 100 the farthest, and half of a group lie to the left of its dot.",
        [pictures.dots("median percentile", "percentile of the distance to the centroid", rows, limits=(0, 108),
                       lines=[(50, "middle")])],
        [geometry.categories(shell), *([geometry.placements_table(placements)] if placements else [])],
    )  # fmt: skip


def _distances(tokens: Sequence[TokenGeometry]) -> Picture:
    """How far from the centroid all tokens lie."""
    there = [(t.distance, t.ordinary_percentile is not None) for t in tokens if t.distance is not None]
    low, high = min(d for d, _ in there), max(d for d, _ in there)
    width = (high - low) / _BINS or 1.0
    edges = [low + width * place for place in range(_BINS + 1)]
    counts = {True: [0] * _BINS, False: [0] * _BINS}
    for distance, ordinary in there:
        counts[ordinary][min(_BINS - 1, int((distance - low) / width))] += 1
    groups = [("ordinary tokens", counts[True], ABOVE), ("bytes, control, unused", counts[False], NEUTRAL)]
    table = Table()
    for name in ("distance from", "to", "ordinary tokens", "bytes, control, unused"):
        table.add_column(name, justify="right")
    for place in range(_BINS):
        table.add_row(
            f"{edges[place]:.4g}", f"{edges[place + 1]:.4g}", f"{counts[True][place]:,}", f"{counts[False][place]:,}"
        )
    return Picture(
        "How far from the centroid every token lies. A heap of its own near the left is what training left together.",
        [pictures.histogram("distance to the centroid", "distance", edges, groups)], [table],
    )  # fmt: skip
