"""The records about a sweep as a whole.

Forecast    what it will take
Summary     what came out at one temperature
Merged      what came of putting its shards together
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from negtemp.records.lines import Record, record
from negtemp.theory.temperature import Temperature


@record
class Forecast(Record):
    """What a sweep is expected to take, from a trial of a few steps.

    units      in all; `finished` of them are in the run directory already
    sequences  decoded together
    tokens     generated at most by what is left
    memory     bytes: the model's file, the KV cache and the logits
    seconds    for what is left, at the trial's speed
    """

    kind: ClassVar[str] = "forecast"
    units: int
    finished: int
    sequences: int
    tokens: int
    memory: int
    seconds: float


class Estimate(NamedTuple):
    """A mean or a share with its 95 % interval; null where there is nothing to estimate."""

    value: float | None
    low: float | None
    high: float | None


@record
class Summary(Record):
    """All finished units of one temperature.

    units, errors  how many were generated, how many could not be
    figures        by name (mean_logprob, mean_rank, mean_entropy, distinct, longest_repeat, non_ascii,
                   median_centroid_percentile): mean over units
    categories     by category of token: mean share of a completion's tokens
    stops          by stop reason: share of units
    """

    kind: ClassVar[str] = "summary"
    temperature: Temperature
    units: int
    errors: int
    figures: Mapping[str, Estimate]
    categories: Mapping[str, Estimate]
    stops: Mapping[str, Estimate]


@record
class Merged(Record):
    """Runs of one sweep that were put together.

    runs       the folders that went in
    units      of the whole sweep; `finished` of them are in the merged run, `added` by this merge
    failed     of those added, how many could not be generated anywhere
    missing    units that no run has finished, by the shard whose they are (`2/4`); by `all` where there are no shards
    machines, platforms    where the runs were made: where they differ, so may the last bits of the logits
    """

    kind: ClassVar[str] = "merged"
    runs: tuple[str, ...]
    units: int
    finished: int
    added: int
    failed: int
    missing: Mapping[str, int]
    machines: tuple[str, ...]
    platforms: tuple[str, ...]
