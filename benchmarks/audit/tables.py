"""RESULTS.md: the tables of the benchmark, from measured files; plain text filled in, nothing computed but means.

A cell is a mean over models, with what the text above the table says in brackets.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from audit.axis import BETAS
from audit.combinations import Names
from audit.results import Along, Measured, Search
from negtemp.experiments.contexts import LENGTH, SEQUENCES
from negtemp.theory import ranking
from negtemp.theory.statistics import bootstrap

SHOWN_RANKINGS = 8
BANDS = {"auc_never": "never", "auc_rare": "1 to 5", "auc_some": "6 to 50"}
TARGET = 0.002

PAGE = """\
# The audit's indicators on models of known truth

Written by `python benchmarks/audit_family.py`; every figure is in `results.json`. What the indicators are is in
`negtemp/theory/indicators.py` and `thermal.py`, what the figures mean in `metrics.py`, how the family is trained in
`training.py` and `text.py`. {count} files: {models} models ({configurations} configurations) at {quantisations}.

AUC of never-seen tokens and of tokens seen 1 to 5 times, against tokens seen at least 6 times; of tokens seen 6 to 50
times, against those seen more often. Control tokens and the tokens that the unused direction is made of do not count.

## For the README

{compact}

## The family

{family}

## AUC by how often a token was seen

Mean over the models of a head, each at all its quantisations, with the 95 % bootstrap interval over models in brackets:

{auc}

The worst single file:

{worst}

How much the seed matters: the mean over the configurations that were trained with every seed, of all seeds together,
and in brackets that of the lowest and of the highest seed, of {seeds}:

{by_seed}

## Along the temperature axis

AUC of minus (at positive beta) or plus (at negative beta) the mean probability, mean over models at F16. Coverage: at
beta = -inf only tokens that are the least likely in some context have a score above 0, and {coverage} of the
never-seen tokens are, over {contexts:,} contexts.

{axis}

## Lists: precision and recall of never-seen tokens

Mean over files, worst in brackets. Magikarp's fixed 2 % cannot hold more than {most_recall:.0%} of the never-seen
tokens of these models on average; recall at 95 % precision is what an adaptive threshold could reach.

{lists}

The audit's own list, every token whose score is at least {threshold}, mean over files, worst in brackets:

{threshold_table}

## Quantisation

Mean AUC, never seen / seen 1 to 5. Every matrix has the type named, embedding and unembedding too. K-quants exist only
for the models 256 wide, so their columns are means over other models than the rest.

{by_type}

## Which ranking by default

The shortfall of a ranking on a file: how far its AUC, never-seen or rare, is behind the best single indicator's there,
which is picked with the truth in hand. The figure to reach is {target}. Rankings are means on the audit's scale
(`negtemp/theory/ranking.py`); `score` is the audit's default, {default},
with the suspects then ordered by their distance from the core of the suspects.

{rankings}

Chosen without a configuration among all but `score`, then measured on it:

{left_out}
"""


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(files: Sequence[Measured], found: Search, along: Sequence[Along]) -> str:
    """The whole of RESULTS.md."""
    models = {(file.configuration, file.seed) for file in files}
    return PAGE.format(
        count=len(files),
        models=len(models),
        configurations=len({file.configuration for file in files}),
        quantisations=", ".join(dict.fromkeys(file.quantisation for file in files)),
        compact=compact(files),
        family=family(files),
        auc=auc_table(files, interval),
        worst=auc_table(files, worst),
        seeds=len({file.seed for file in files}),
        by_seed=by_seed(files),
        coverage=f"{np.mean([file.coverage for file in along]):.0%}",
        contexts=SEQUENCES * LENGTH,
        axis=axis_table(along),
        most_recall=np.mean([math.ceil(0.02 * file.tokens) / file.bands[0] for file in files]),
        lists=lists(files),
        threshold=ranking.THRESHOLD,
        threshold_table=threshold_table(files),
        by_type=by_type(files),
        target=TARGET,
        default=" and ".join(f"{name} with weight {weight:g}" for name, weight in ranking.COMBINED.items()),
        rankings=rankings(files, found),
        left_out=left_out(found),
    )


def indicators(files: Sequence[Measured]) -> list[str]:
    """Names, in the order they are computed."""
    return list(files[0].figures)


def heads(files: Sequence[Measured]) -> list[tuple[str, list[Measured]]]:
    """Untied files, then tied ones; a head without a file is left out."""
    parts = [("untied", [file for file in files if not file.tied]), ("tied", [file for file in files if file.tied])]
    return [(name, part) for name, part in parts if part]


def values(files: Sequence[Measured], indicator: str, figure: str) -> list[float]:
    """One figure of one indicator on every file that has it."""
    found = [file.figures[indicator][figure] for file in files if indicator in file.figures]
    return [value for value in found if not math.isnan(value)]


def compact(files: Sequence[Measured]) -> str:
    """Untied / tied, mean AUC of both bands, and recall at 95 % precision."""

    def cell(indicator: str, figure: str) -> str:
        return " / ".join(f"{np.mean(values(part, indicator, figure)):.3f}" for _, part in heads(files))

    head = " / ".join(name for name, _ in heads(files))
    return table(
        ["indicator", f"never seen, {head}", f"seen 1 to 5, {head}", f"recall at 95 % precision, {head}"],
        [[name, *(cell(name, f) for f in ("auc_never", "auc_rare", "recall_95"))] for name in indicators(files)],
    )


def family(files: Sequence[Measured]) -> str:
    """One line a model."""
    firsts = {(file.configuration, file.seed): file for file in reversed(files)}
    rows = [[c, str(s), str(f.tokens), *map(str, f.bands)] for (c, s), f in reversed(firsts.items())]
    return table(["configuration", "seed", "tokens judged", "never seen", "1 to 5", "6 to 50", "more"], rows)


def auc_table(files: Sequence[Measured], cell: Callable[[Sequence[Measured], str, str], str]) -> str:
    """AUC by head and band."""
    columns = [(head, part, band) for head, part in heads(files) for band in BANDS]
    rows = [[name, *(cell(part, name, band) for _, part, band in columns)] for name in indicators(files)]
    return table(["indicator", *(f"{head}, {BANDS[band]}" for head, _, band in columns)], rows)


def interval(files: Sequence[Measured], indicator: str, figure: str) -> str:
    """Mean over models and its interval; the files of one model are no independent draws: averaged first."""
    models: dict[tuple[str, int], list[Measured]] = {}
    for file in files:
        models.setdefault((file.configuration, file.seed), []).append(file)
    means = [float(np.mean(values(part, indicator, figure))) for part in models.values()]
    low, high = bootstrap(means)
    return f"{np.mean(means):.3f} [{low:.3f}, {high:.3f}]"


def worst(files: Sequence[Measured], indicator: str, figure: str) -> str:
    """The lowest figure of all files."""
    return f"{min(values(files, indicator, figure)):.3f}"


def by_seed(files: Sequence[Measured]) -> str:
    """Mean over configurations, and its range over seeds."""
    seeds = sorted({file.seed for file in files})
    trained: dict[str, set[int]] = {}
    for file in files:
        trained.setdefault(file.configuration, set()).add(file.seed)
    full = [file for file in files if len(trained[file.configuration]) == len(seeds)]

    def cell(part: Sequence[Measured], indicator: str, figure: str) -> str:
        means = [np.mean(values([f for f in part if f.seed == seed], indicator, figure)) for seed in seeds]
        return f"{np.mean(means):.4f} [{min(means):.4f}, {max(means):.4f}]"

    figures = {"auc_never": "never", "auc_rare": "1 to 5", "recall_95": "recall at 95 %"}
    columns = [(head, part, figure) for head, part in heads(full) for figure in figures]
    rows = [[name, *(cell(part, name, figure) for _, part, figure in columns)] for name in indicators(files)]
    return table(["indicator", *(f"{head}, {figures[figure]}" for head, _, figure in columns)], rows)


def axis_table(along: Sequence[Along]) -> str:
    """Mean AUC by inverse temperature and head."""
    parts = [
        (name, [file for file in along if file.tied == tied]) for name, tied in (("untied", False), ("tied", True))
    ]
    columns = [(head, part, band) for head, part in parts if part for band in BANDS]
    rows = [
        [f"{beta:g}", *(f"{np.mean([file.figures[index][band] for file in part]):.4f}" for _, part, band in columns)]
        for index, beta in enumerate(BETAS)
    ]
    return table(["beta", *(f"{head}, {BANDS[band]}" for head, _, band in columns)], rows)


def lists(files: Sequence[Measured]) -> str:
    """Precision and recall of lists by head."""
    shown = ("precision_100", "precision_2pc", "recall_2pc", "recall_95", "recall_95_rare")
    labels = ("precision at 100", "precision in 2 %", "recall in 2 %", "recall at 95 %", "the same, seen at most 5")

    def cell(part: Sequence[Measured], indicator: str, figure: str) -> str:
        found = values(part, indicator, figure)
        return f"{np.mean(found):.3f} ({min(found):.3f})"

    rows = [
        [name, head, *(cell(part, name, figure) for figure in shown)]
        for name in indicators(files)
        for head, part in heads(files)
    ]
    return table(["indicator", "head", *labels], rows)


def threshold_table(files: Sequence[Measured]) -> str:
    """What lies above the audit's threshold, by head."""
    shown = ("precision_never", "precision_rare", "recall_never")

    def cells(part: Sequence[Measured]) -> Iterable[str]:
        yield f"{np.mean([file.threshold['listed'] for file in part]):.0%}"
        for figure in shown:
            found = [file.threshold[figure] for file in part]
            yield f"{np.mean(found):.3f} ({min(found):.3f})"

    labels = ["head", "tokens listed", "never seen among them", "seen at most 5 times", "recall of never seen"]
    return table(labels, [[head, *cells(part)] for head, part in heads(files)])


def by_type(files: Sequence[Measured]) -> str:
    """Mean AUC by quantisation, over the models that have it."""
    types = list(dict.fromkeys(file.quantisation for file in files))

    def cell(indicator: str, quantisation: str) -> str:
        part = [file for file in files if file.quantisation == quantisation]
        return " / ".join(f"{np.mean(values(part, indicator, f)):.3f}" for f in ("auc_never", "auc_rare"))

    return table(["indicator", *types], [[name, *(cell(name, kind) for kind in types)] for name in indicators(files)])


def rankings(files: Sequence[Measured], found: Search) -> str:
    """The best rankings by their greatest shortfall, and every single indicator."""
    worst = found.table.max(axis=0)
    order = [int(index) for index in np.argsort(worst, kind="stable")]
    singles = [index for index in order if len(found.choices[index]) == 1]
    shown = dict.fromkeys([*order[:SHOWN_RANKINGS], *singles])
    return table(
        ["ranking", "greatest shortfall", "mean", f"files within {TARGET}"],
        [[_named(found.choices[i]), *_shortfall(found.table[:, i].tolist())] for i in shown],
    )


def _shortfall(column: Sequence[float]) -> list[str]:
    within = sum(value <= TARGET for value in column)
    return [f"{max(column):.4f}", f"{np.mean(column):.4f}", f"{within} of {len(column)}"]


def left_out(found: Search) -> str:
    """What is chosen without each configuration, and its shortfall there."""
    rows = [[choice.left_out, _named(choice.names), f"{choice.shortfall:.4f}"] for choice in found.left_out]
    return table(["left out", "ranking chosen", "greatest shortfall there"], rows)


def _named(names: Names) -> str:
    return " + ".join(names)
