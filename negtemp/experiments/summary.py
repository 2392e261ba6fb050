"""What came out of a sweep at each temperature: means and shares with intervals; records in, records out.

Completions of one prompt resemble each other, and near T = 0 those of all seeds are the same. So a mean's interval is a
bootstrap over the means of prompts where there are several, and over completions where there is one; a stop reason's is
Wilson's, with identical completions counted once. It leaves out how that looks (`views`), and needs no model.
"""

import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from negtemp.records import Completion, Estimate, Failure, Record, Summary
from negtemp.theory.statistics import bootstrap, wilson
from negtemp.theory.temperature import Temperature

FIGURES = (
    "mean_logprob", "mean_rank", "mean_entropy", "distinct", "longest_repeat", "non_ascii",
    "median_centroid_percentile",
)  # fmt: skip


class _Unit(NamedTuple):
    """What counts of a completion, small enough to hold a million of."""

    prompt: str
    content: int
    stop: str
    figures: tuple[float | None, ...]
    categories: Mapping[str, float]


def summarize(records: Iterable[Record]) -> list[Summary]:
    """A Summary for each temperature among the records, by beta."""
    groups: defaultdict[Temperature, list[_Unit]] = defaultdict(list)
    errors: Counter[Temperature] = Counter()
    for record in records:
        if isinstance(record, Completion):
            groups[record.temperature].append(_unit(record))
        elif isinstance(record, Failure):
            errors[record.temperature] += 1
    return [_summary(at, groups[at], errors[at]) for at in sorted({*groups, *errors}, key=lambda at: at.beta)]


def _unit(completion: Completion) -> _Unit:
    figures = tuple(getattr(completion, name) for name in FIGURES)
    content = hash((completion.prompt, completion.token_ids))
    return _Unit(sys.intern(completion.prompt), content, completion.stop, figures, completion.categories)


def _summary(at: Temperature, units: Sequence[_Unit], errors: int) -> Summary:
    categories = sorted({category for unit in units for category in unit.categories})
    return Summary(
        temperature=at, units=len(units), errors=errors,
        figures={
            name: _mean((unit.prompt, unit.figures[place]) for unit in units) for place, name in enumerate(FIGURES)
        },
        categories={
            name: _mean((unit.prompt, unit.categories.get(name, 0.0)) for unit in units) for name in categories
        },
        stops=dict(_stops(units)),
    )  # fmt: skip


def _mean(values: Iterable[tuple[str, float | None]]) -> Estimate:
    """The mean of (prompt, value), None and NaN left out."""
    by_prompt: defaultdict[str, list[float]] = defaultdict(list)
    for prompt, value in values:
        if value is not None and math.isfinite(value):
            by_prompt[prompt].append(value)
    if not by_prompt:
        return Estimate(None, None, None)
    everything = [value for values_there in by_prompt.values() for value in values_there]
    samples = list(map(statistics.fmean, by_prompt.values())) if len(by_prompt) > 1 else everything
    return Estimate(statistics.fmean(everything), *bootstrap(samples))


def _stops(units: Sequence[_Unit]) -> Iterator[tuple[str, Estimate]]:
    different = len({unit.content for unit in units})
    for stop, count in sorted(Counter(unit.stop for unit in units).items()):
        share = count / len(units)
        yield stop, Estimate(share, *wilson(share * different, different))
