"""Measured rows to Markdown: a table for each part that has rows, and a list of what could not be measured.

Speeds and seconds are medians over rounds; a ratio is the median of the ratios of each round, whose two sides ran one
after the other.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from speed.rows import Row, Rows

MODELS = {
    "tiny": "bundled, 2.6M", "1b": "1.1B shape, Q4_0", "7b": "7B shape, Q4_0",
    "smollm2": "SmolLM2, 49,152", "qwen": "Qwen2.5-Coder, 151,936", "gemma3": "Gemma 3 270M, 262,144",
}  # fmt: skip


def render(rows: Rows, machine: Mapping[str, str]) -> str:
    """The whole report."""
    sections = [section(rows) for section in SECTIONS]
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    return "\n\n".join([f"Measured on: {about}.", *filter(None, sections), _problems(rows)]).rstrip() + "\n"


def one_sequence(rows: Rows) -> str:
    lines = [
        [MODELS[model], at, *_speeds(ours, theirs), _ratio(ours, theirs), len(ours), _peak(ours), _peak(theirs)]
        for program, at in (("negtemp", "-0.001"), ("negtemp at T=1", "1"))
        for (model, _), ours, theirs in _sides(rows, "one-sequence", program, "llama-bench")
    ]
    names = [
        "model",
        "T",
        "negtemp, tokens/s",
        "llama-bench, tokens/s",
        "ratio",
        "rounds",
        "negtemp, MiB",
        "bench, MiB",
    ]
    return _table("One sequence", names, lines)


def batched(rows: Rows) -> str:
    lines = [
        [MODELS[model], size, *_speeds(ours, theirs), _ratio(ours, theirs), len(ours), _peak(ours)]
        for (model, size), ours, theirs in _sides(rows, "batched", "negtemp", "llama-batched-bench")
    ]
    names = ["model", "sequences", "negtemp, tokens/s", "llama-batched-bench, tokens/s", "ratio", "rounds", "MiB"]
    return _table("Many sequences, half at T = +0.001 and half at -0.001", names, lines)


def job(rows: Rows) -> str:
    lines = [
        [MODELS[model], size, _seconds(ours), _seconds(theirs) + _estimated(theirs, size),
         f"{_median(ours, theirs, _faster):.1f} ×", _peak(ours), _peak(theirs)]
        for (model, size), ours, theirs in _sides(rows, "job", "negtemp", "naive runs")
    ]  # fmt: skip
    names = ["model", "sequences", "negtemp, s", "naive runs one by one, s", "faster", "negtemp, MiB", "a run, MiB"]
    return _table("The whole job, loading and all", names, lines)


def peers(rows: Rows) -> str:
    lines = [
        [MODELS[model], program, f"{_middle(found, 'tokens_per_second'):.4g}", _seconds(found), _peak(found)]
        for model in MODELS
        for program in ("negtemp", "llama-cpp-python", "transformers")
        if (found := rows.of("peers", model, program))
    ]
    names = ["model", "by", "tokens/s", "seconds, start and loading too", "MiB"]
    return _table("One sequence at T = -0.001, by others", names, lines)


def inside(rows: Rows) -> str:
    lines = [[MODELS[row.model], row.size, *_inside(row)] for row in rows.of("inside")]
    return _table("Between two decodes", ["model", "sequences", *_INSIDE], lines)


def store(rows: Rows) -> str:
    lines = [[MODELS[row.model], row.size, f"{row.more['shares']['run directory']:.2%}"] for row in rows.of("store")]
    return _table("A sweep's run directory", ["model", "units", "share of the time"], lines)


def length(rows: Rows) -> str:
    lines = [[row.size, f"{row.tokens_per_second:.4g}", row_peak(row)] for row in rows.of("length")]
    return _table("By length (bundled model, one sequence)", ["tokens", "tokens/s", "MiB"], lines)


def vocabulary(rows: Rows) -> str:
    lines = [[f"{row.size:,}", f"{row.tokens_per_second:.4g}", *_inside(row)] for row in rows.of("vocabulary")]
    names = ["vocabulary", "tokens/s", *_INSIDE]
    return _table("By vocabulary (random shape, 8 layers of 512, one sequence)", names, lines)


def units(rows: Rows) -> str:
    lines = [
        [f"{row.size:,}", f"{row.seconds:.2f}", f"{row.tokens_per_second:.0f}", row_peak(row)]
        for row in rows.of("units")
    ]
    names = ["units of 32 tokens", "seconds", "tokens/s", "MiB"]
    return _table("By units (`negtemp sweep` on the bundled model, the whole command)", names, lines)


def start_up(rows: Rows) -> str:
    lines = [[row.program, f"{row.seconds:.2f}"] for row in rows.of("start-up")]
    return _table("Start", ["what", "seconds"], lines)


SECTIONS: tuple[Callable[[Rows], str], ...] = (
    one_sequence, batched, job, peers, inside, store, length, vocabulary, units, start_up,
)  # fmt: skip

_INSIDE = ["draw and statistics, ms a token", "share"]


def _inside(row: Row) -> list[object]:
    (spent,), (share,) = row.more["milliseconds"].values(), row.more["shares"].values()
    return [f"{spent:.3f}", f"{share:.1%}"]


Side = list[Row]


def _sides(rows: Rows, part: str, ours: str, theirs: str) -> Iterable[tuple[tuple[str, int], Side, Side]]:
    """Both sides' rows for every model and size that has both, the rounds that have both, in order."""
    for model in MODELS:
        for size in sorted({row.size for row in rows.of(part, model)}):
            sides = [{row.round: row for row in rows.of(part, model, program, size)} for program in (ours, theirs)]
            rounds = sorted(sides[0].keys() & sides[1].keys())
            if rounds:
                yield (model, size), [sides[0][turn] for turn in rounds], [sides[1][turn] for turn in rounds]


def _median(ours: Side, theirs: Side, ratio: Callable[[Row, Row], float]) -> float:
    return statistics.median(map(ratio, ours, theirs))


def _ratio(ours: Side, theirs: Side) -> str:
    return (
        f"{_median(ours, theirs, lambda our, their: (our.tokens_per_second or 0) / (their.tokens_per_second or 1)):.3f}"
    )


def _faster(ours: Row, theirs: Row) -> float:
    return (theirs.seconds or 0) / (ours.seconds or 1)


def _middle(side: Side, figure: str) -> float:
    return float(statistics.median(map(attrgetter(figure), side)))


def _speeds(*sides: Side) -> list[str]:
    return [f"{_middle(side, 'tokens_per_second'):.4g}" for side in sides]


def _seconds(side: Side) -> str:
    return f"{_middle(side, 'seconds'):.2f}"


def _estimated(naive: Side, sequences: int) -> str:
    """A note where fewer runs than sequences were made."""
    runs = naive[0].more["runs"]
    return "" if runs == sequences else f" ({runs} runs, × {sequences // runs})"


def _peak(side: Side) -> str:
    return f"{max(row.peak_mib or 0 for row in side):,.0f}"


def row_peak(row: Row) -> str:
    return _peak([row])


def _problems(rows: Rows) -> str:
    lines = [f"- {row.part}, {MODELS[row.model]}, {row.program}, {row.size}: {row.problem}" for row in rows.problems()]
    return "Not measured:\n\n" + "\n".join(lines) if lines else ""


def _table(title: str, names: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table under a heading; nothing where it has no lines."""
    if not lines:
        return ""
    head = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return "\n".join([f"### {title}", "", *head, *(f"| {' | '.join(map(str, line))} |" for line in lines)])
