"""A sweep into a run directory: what is not finished runs, and is saved before anyone sees it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from negtemp.experiments.sweep import SweepPlan, Unit
from negtemp.model.engine.engine import BatchShape, Engine
from negtemp.records import Completion, Failure, Header, Step
from negtemp.runs import provenance, worker
from negtemp.runs.lines import NAME, finished_units
from negtemp.runs.manifest import Manifest, differences
from negtemp.runs.shards import WHOLE, Shard
from negtemp.runs.store import Store
from negtemp.runs.worker import Job

RUNS = Path("negtemp-runs")


def described(plan: SweepPlan) -> dict[str, Any]:
    """The settings in the header of a plan's records; `SweepPlan.from_dict` reads them back."""
    own = {"repeats": plan.repeats, "deterministic": plan.deterministic, "steps": plan.steps}
    return provenance.sampling(plan.settings, plan.prompts, plan.temperatures, plan.seeds) | own


def header(engine: Engine, plan: SweepPlan) -> Header:
    """The head of a sweep's records."""
    return provenance.header("sweep", engine, described(plan))


def own_folder(head: Header) -> Path:
    """Where a sweep goes that names no folder: by a hash of model and settings, so that the same command resumes."""
    return RUNS / f"sweep-{provenance.digest(head)}"


def finished(folder: Path, head: Header) -> int:
    """How many units the folder holds of this very run; 0 where it belongs to none. Raises RecordError."""
    there = Manifest.read(folder)
    if there is None or differences(there.header, head):
        return 0
    return sum(1 for _ in finished_units(folder / NAME))


def open_store(
    folder: Path, engine: Engine, plan: SweepPlan, shape: BatchShape, shard: Shard = WHOLE, retry_failed: bool = False
) -> Store:
    """The run directory, begun or resumed. Raises UsageError, RecordError, OutputError."""
    named = None if shard == WHOLE else str(shard)
    described = Manifest(header(engine, plan), shard.count(len(plan)), shard=named)
    return Store(folder, described, provenance.session(engine, shape), retry_failed)


def unfinished(plan: SweepPlan, store: Store, shard: Shard = WHOLE) -> Iterator[Unit]:
    """The units of a shard that its run directory does not hold, in order."""
    mine = range(shard.number - 1, len(plan), shard.of)
    return (unit for unit in map(plan.unit, mine) if unit.key(plan.settings) not in store.finished)


def kept(records: Iterator[Step | Completion | Failure], store: Store) -> Iterator[Step | Completion | Failure]:
    """The same records, each once it is saved. Raises OutputError."""
    for record in records:
        store.save(record)
        yield record


def job(engine: Engine, plan: SweepPlan, shape: BatchShape, n_gpu_layers: int, threads: int) -> Job:
    """What every worker is told: the engine's model and batches; the library and the file that it must have."""
    model = engine.model
    return Job(
        str(model.path.absolute()), described(plan), n_gpu_layers, threads, shape.slots,
        model.fingerprint(), worker.build(model.library),
    )  # fmt: skip
