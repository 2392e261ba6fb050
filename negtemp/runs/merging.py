"""Shards of a sweep, or any runs of the same sweep, into one run directory.

Runs go together only if model, library and settings are the same. A unit that several hold counts once, and one that
was generated somewhere is no failure. Merging again adds what has come since. Lines are copied as they are, so a merged
run holds what one process would have written, in another order. It leaves out what the records say.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from negtemp.errors import RecordError, UsageError
from negtemp.printable import printable_path
from negtemp.records import Merged
from negtemp.runs.lines import NAME, Finished, finished_units
from negtemp.runs.manifest import Manifest, differences
from negtemp.runs.store import Store
from negtemp.runs.worker import Plan, plan_of


def shards_in(folder: Path) -> list[Path]:
    """The run directories of shards in a sweep's folder, in the order of their numbers."""
    found = [path for path in folder.glob("shard-*-of-*") if path.is_dir()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def merge(runs: Sequence[Path], output: Path) -> Merged:
    """Put the runs' finished units into `output`, begun or gone on with; what came together and what is missing.

    Raises UsageError for runs of different sweeps, of one given twice, or of no sweep; RecordError, OutputError.
    """
    described = _same_sweep(runs)
    plan = plan_of(described[0].header.command, described[0].header.settings)
    sittings = [sitting for manifest in described for sitting in manifest.sessions]
    names = tuple(printable_path(run) for run in runs)
    whole = Manifest(described[0].header, len(plan))
    with Store(output, whole, {"merged": list(names), "sittings": sittings}, retry_failed=True) as store:
        added, failed = _copy(runs, store)
    missing = _missing(plan, store.finished, added | failed) if store.saved < len(plan) else []
    return Merged(
        runs=names, units=len(plan), finished=store.saved, added=len(added), failed=len(failed),
        missing=_by_shard(missing, described),
        machines=_distinct(sittings, "machine"), platforms=_distinct(sittings, "platform"),
    )  # fmt: skip


def _same_sweep(runs: Sequence[Path]) -> list[Manifest]:
    """The runs' manifests. Raises UsageError, RecordError."""
    places = [run.resolve() for run in runs]
    twice = next((run for run, place in zip(runs, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise UsageError(f"{printable_path(twice)} is given twice; a run is not merged with itself")
    described = [_manifest(run) for run in runs]
    for run, manifest in zip(runs, described, strict=True):
        changed = differences(described[0].header, manifest.header)
        if changed:
            raise UsageError(
                f"{printable_path(run)} and {printable_path(runs[0])} are not of one sweep: {'; '.join(changed)}"
            )
    return described


def _manifest(run: Path) -> Manifest:
    found = Manifest.read(run)
    if found is None:
        raise RecordError(f"{printable_path(run)} is no run directory; give what `negtemp sweep -o` has written")
    return found


def _copy(runs: Sequence[Path], store: Store) -> tuple[set[str], set[str]]:
    """Append what the store lacks: the keys of units generated, and of those that nobody could generate, which come
    last."""
    added: set[str] = set()
    failures: dict[str, Finished] = {}
    for run in runs:
        for unit in finished_units(run / NAME):
            if unit.unit is None or unit.unit in added or unit.unit in store.finished:
                continue
            if unit.failed:
                failures[unit.unit] = unit
            else:
                added.add(unit.unit)
                store.append(_data(unit))
    failed = failures.keys() - added
    for key in sorted(failed):
        store.append(_data(failures[key]))
    return added, failed


def _data(unit: Finished) -> bytes:
    return "".join(unit.lines).encode("utf-8")


def _missing(plan: Plan, finished: Container[str], added: Container[str]) -> list[int]:
    """Places in the plan of the units that nobody has finished."""
    keyed = ((number, plan.key(plan.unit(number))) for number in range(len(plan)))
    return [number for number, key in keyed if key not in added and key not in finished]


def _by_shard(missing: Sequence[int], described: Sequence[Manifest]) -> dict[str, int]:
    """How many units are missing, by the shard whose they are; by `all` where the runs are not shards of one count."""
    counts = {manifest.shard.split("/")[1] for manifest in described if manifest.shard}
    of = int(counts.pop()) if len(counts) == 1 else 1
    return dict(Counter(f"{number % of + 1}/{of}" if of > 1 else "all" for number in missing))


def _distinct(sittings: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(sorted({str(sitting[name]) for sitting in sittings if name in sitting}))
