"""Reports of what a model wrote: `run`, `compare` and `sweep`.

A run is read once and forward only, and of many completions the first are kept whole; the others are counted. A sweep
comes as its Summaries, beside a few completions for each temperature.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from negtemp.printable import encoded
from negtemp.records import Completion, Estimate, Failure, Header, Record, Step, Summary
from negtemp.theory.temperature import Temperature
from negtemp.views import console
from negtemp.views import sweep as sweep_view
from negtemp.views.console import temperature
from negtemp.views.report import pictures
from negtemp.views.report.document import LISTED, Part, Passage, Passages, Picture, Report, Saved, Section

_PASSAGES, _LINES, _STEPS = 24, 8, 400
_SAMPLES = 2

_SURPRISAL = (
    "Colour says how surprising each token was to the model itself, at T=1: plain letters were likely, and the warmer "
    "the colour the less likely."
)


@dataclass
class Kept:
    """What is kept of the completions of a run; the rest is counted."""

    completions: list[Completion] = field(default_factory=list)
    steps: defaultdict[int, list[Step]] = field(default_factory=lambda: defaultdict(list))
    failures: list[Failure] = field(default_factory=list)
    count: int = 0
    unfinished: dict[int, list[Step]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Kept":
        """The first completions with their steps, and the steps that no completion followed."""
        kept, waiting = cls(), defaultdict[int, list[Step]](list)
        for record in records:
            if isinstance(record, Step):
                waiting[record.sequence].append(record)
            elif isinstance(record, Completion):
                steps = waiting.pop(record.sequence, [])
                kept.count += 1
                if len(kept.completions) < _PASSAGES:
                    kept.completions.append(record)
                    kept.steps[record.sequence] = steps
            elif isinstance(record, Failure):
                kept.failures.append(record)
        kept.completions.sort(key=lambda one: one.sequence)
        kept.unfinished = dict(sorted(waiting.items()))
        return kept


def generated(saved: Saved, records: Iterable[Record]) -> Report:
    """`run` and `compare`."""
    header, kept = saved.header, Kept.of(records)
    wanted = _wanted(header)
    places = _temperatures(header) or [one.temperature for one in kept.completions]
    sections = [Section("What it wrote", [*_texts(header, kept)])]
    if any(kept.steps.values()):
        sections.append(Section("How surprising each token was", [_surprisal_picture(header, kept)]))
    return Report(
        title=_title(places), lead=_lead(places), sections=sections,
        facts=[(f"{kept.count:,}", "completions"), *_means(kept.completions)],
        missing=_missing(kept, wanted),
    )  # fmt: skip


def _title(places: Sequence[Temperature]) -> str:
    shown = list(dict.fromkeys(map(temperature, places)))
    if len(shown) == 1:
        return f"What the model writes at {shown[0]}"
    return (
        f"The same prompt at {_and(shown)}" if 1 < len(shown) <= 3 else f"The same prompt at {len(shown)} temperatures"
    )


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]])


def _lead(places: Sequence[Temperature]) -> str:
    lead = (
        "A language model scores every token that could come next, and the temperature T decides how the scores become "
        "probabilities. Near +0 it always takes the most likely token."
    )
    if any(place.beta < 0 for place in places):
        lead += " Below zero the order turns round: the least likely tokens become the most likely."
    return lead


def _temperatures(header: Header) -> list[Temperature]:
    """The temperatures that the settings name; none where they name none that can be meant."""
    pairs = zip(_numbers(header, "temperatures"), _numbers(header, "betas"), strict=False)
    return [Temperature(t, beta) for t, beta in pairs]


def _numbers(header: Header, name: str) -> list[float]:
    found = header.settings.get(name)
    try:
        return [float(value) for value in found] if isinstance(found, list | tuple) else []
    except (TypeError, ValueError):
        return []


def _wanted(header: Header) -> int | None:
    """How many completions the settings ask for; None where they do not say."""
    counts = [header.settings.get(name) for name in ("prompts", "temperatures", "seeds")]
    return math.prod(len(c) for c in counts if isinstance(c, list | tuple)) if all(counts) else None


def _missing(kept: Kept, wanted: int | None) -> list[str]:
    found = []
    if wanted is not None and kept.count + len(kept.failures) < wanted:
        found.append(
            f"This run was interrupted: {kept.count + len(kept.failures):,} of {wanted:,} completions are finished."
        )
    if kept.failures:
        found.append(f"{len(kept.failures):,} completions could not be made.")
    return found


def _means(completions: Sequence[Completion]) -> list[tuple[str, str]]:
    """The mean log-probability at each of the first temperatures."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for one in completions:
        if one.mean_logprob is not None:
            groups[temperature(one.temperature)].append(one.mean_logprob)
    return [
        (f"{sum(values) / len(values):.2f} nats", f"mean log-probability of a token at {at}")
        for at, values in list(groups.items())[:3]
    ]


def _texts(header: Header, kept: Kept) -> Iterable[Part]:
    if not kept.completions and not kept.unfinished:
        yield "No completion was saved."
        return
    yield _SURPRISAL
    yield Passages([passage(one, kept.steps[one.sequence], header.model.vocabulary) for one in kept.completions])
    if kept.count > len(kept.completions):
        yield f"{kept.count - len(kept.completions):,} more completions are in the records and left out here."
    for sequence, steps in list(kept.unfinished.items())[:_PASSAGES]:
        yield Passages([_unfinished(sequence, steps, header.model.vocabulary)])
    yield from (sweep_view.failure(one) for one in kept.failures[:_PASSAGES])


def passage(one: Completion, steps: Sequence[Step], vocabulary: int) -> Passage:
    """A completion as a card: its prompt dimmed, its tokens in the colours of their surprisal."""
    sign = (one.temperature.beta > 0) - (one.temperature.beta < 0)
    heading = Text(f"{temperature(one.temperature)} · seed {one.seed}")
    prompt = console.safe(encoded(one.prompt), "dim")
    body = Text.assemble(prompt, console.streamed(steps, one.stop, vocabulary) if steps else Text(one.text))
    return Passage(heading, body, console.figures(one, vocabulary), sign)


def _unfinished(sequence: int, steps: Sequence[Step], vocabulary: int) -> Passage:
    body = console.streamed(steps, None, vocabulary)
    return Passage(Text(f"sequence {sequence}, not finished"), body, f"{len(steps):,} tokens until it stopped")


def _surprisal_picture(header: Header, kept: Kept) -> Picture:
    shown = [one for one in kept.completions if kept.steps[one.sequence]][:_LINES]
    several = len({one.prompt for one in shown}) > 1 or len({one.seed for one in shown}) > 1
    lines = [
        (
            f"T={one.temperature.temperature:g}" + (f", {number}" if several else ""),
            (one.temperature.beta > 0) - (one.temperature.beta < 0),
            [-step.logprob for step in kept.steps[one.sequence][:_STEPS]],
        )
        for number, one in enumerate(shown, start=1)
    ]
    caption = (
        "The smaller, the likelier the model held the token that came. Blue is above zero, orange below"
        + ("; the number after T is that of the text above, in its order." if several else ".")
    )  # fmt: skip
    panel = pictures.surprisals(lines, math.log(max(2, header.model.vocabulary)))
    return Picture(caption, [panel], [_steps_table(shown, kept, header.model.vocabulary)])


def _steps_table(shown: Sequence[Completion], kept: Kept, vocabulary: int) -> Table:
    """Every token of the lines that are drawn."""
    table = Table()
    for name in ("text", "T", "token", "id", "log-prob", "rank", "entropy", "gap"):
        table.add_column(name, justify="right")
    table.add_column("piece")
    rows = [
        (number, one, step)
        for number, one in enumerate(shown, start=1)
        for step in kept.steps[one.sequence][:_STEPS]
    ]  # fmt: skip
    for number, one, step in rows[:LISTED]:
        table.add_row(
            str(number), f"{one.temperature.temperature:g}", str(step.position), str(step.token_id),
            f"{step.logprob:.4f}", f"{step.rank:,}", f"{step.entropy:.3f}", f"{step.gap:.3g}",
            console.safe(step.raw, console.shade(step, vocabulary), keep=""),
        )  # fmt: skip
    return table


# what a sweep's pictures show: a figure's name, its title, its unit, its scale
_FIGURES = (
    ("mean_logprob", "log-probability of a token", "nats", 1.0),
    ("mean_entropy", "entropy of the model's own distribution", "nats", 1.0),
    ("mean_rank", "rank of a token (0 is the most likely)", "rank", 1.0),
    ("distinct", "distinct tokens", "% of a text", 100.0),
    ("non_ascii", "tokens with letters beyond ASCII", "% of a text", 100.0),
    ("median_centroid_percentile", "distance to the embedding's centroid", "percentile", 1.0),
)


def swept(saved: Saved, summaries: Sequence[Summary], samples: Sequence[Completion]) -> Report:
    """`sweep`: figures by beta with their intervals, and a few of the texts."""
    units, errors = sum(one.units for one in summaries), sum(one.errors for one in summaries)
    sections = [Section("By beta", [*_by_beta(summaries)])]
    if samples:
        shown = [passage(one, (), saved.header.model.vocabulary) for one in samples]
        sections.append(Section("Some of the texts", [
            f"The first {_SAMPLES} at each temperature, from beta = -∞ upwards; the records hold {units:,}.",
            Passages(shown),
        ]))  # fmt: skip
    missing = []
    if saved.units is not None and units + errors < saved.units:
        missing.append(
            f"This sweep is not finished: {units + errors:,} of {saved.units:,} units are there. "
            "The same command goes on where it stopped."
        )
    elif not units:
        missing.append("No unit of this sweep is finished.")
    if errors:
        missing.append(f"{errors:,} units could not be made.")
    return Report(
        title=f"What the model writes at {len(summaries)} temperatures, on both sides of zero"
        if summaries else "A sweep over temperatures",
        lead=_lead([one.temperature for one in summaries])
        + " The smooth axis is beta = 1/T: it runs from the most likely token (+∞) through all alike (0) to the least "
        "likely (-∞) without a jump.",
        sections=sections, facts=[(f"{units:,}", "texts"), (f"{len(summaries)}", "temperatures")], missing=missing,
    )  # fmt: skip


def sample(completions: Iterable[Record], kept: list[Completion]) -> Iterable[Record]:
    """The records as they pass; the first completions of each temperature are put into `kept`, by beta."""
    counts: defaultdict[Temperature, int] = defaultdict(int)
    for record in completions:
        if isinstance(record, Completion):
            counts[record.temperature] += 1
            if counts[record.temperature] <= _SAMPLES and len(kept) < _SAMPLES * LISTED // 10:
                kept.append(record)
        yield record
    kept.sort(key=lambda one: (one.temperature.beta, one.sequence))


def _by_beta(summaries: Sequence[Summary]) -> Iterable[Part]:
    if not summaries:
        yield "No unit is finished yet."
        return
    betas = [one.temperature.beta for one in summaries]
    panels = [
        pictures.estimates(title, unit, betas, points)
        for name, title, unit, scale in _FIGURES
        if any(points := [_point(one.figures.get(name), scale) for one in summaries])
    ]
    if panels:
        yield Picture(
            "Each dot is a mean over the texts of one temperature, the bar its 95 % interval. Blue is above zero, "
            "orange below.",
            panels, [],
        )  # fmt: skip
    yield from sweep_view.whole(summaries)


def _point(found: Estimate | None, scale: float) -> tuple[float, float, float] | None:
    if found is None or found.value is None:
        return None
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    return found.value * scale, low * scale, high * scale
