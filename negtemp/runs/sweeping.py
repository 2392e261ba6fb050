"""A sweep into a run directory: what is not finished runs, and is saved before anyone sees it."""

from collections.abc import Iterator
from pathlib import Path

from negtemp.experiments.sweep import SweepPlan, sweep
from negtemp.model.engine.engine import BatchShape, Engine
from negtemp.records import Completion, Failure, Header, Step
from negtemp.runs import provenance
from negtemp.runs.lines import NAME, finished_units
from negtemp.runs.manifest import Manifest, differences
from negtemp.runs.reading import iterate
from negtemp.runs.store import Store

RUNS = Path("negtemp-runs")


def header(engine: Engine, plan: SweepPlan) -> Header:
    """The head of a sweep's records."""
    own = {"repeats": plan.repeats, "deterministic": plan.deterministic, "steps": plan.steps}
    described = provenance.sampling(plan.settings, plan.prompts, plan.temperatures, plan.seeds)
    return provenance.header("sweep", engine, described | own)


def own_folder(head: Header) -> Path:
    """Where a sweep goes that names no folder: by a hash of model and settings, so that the same command resumes."""
    return RUNS / f"sweep-{provenance.digest(head)}"


def finished(folder: Path, head: Header) -> int:
    """How many units the folder holds of this very run; 0 where it belongs to none. Raises RecordError."""
    there = Manifest.read(folder)
    if there is None or differences(there.header, head):
        return 0
    return sum(1 for _ in finished_units(folder / NAME))


def open_store(folder: Path, engine: Engine, plan: SweepPlan, shape: BatchShape) -> Store:
    """The run directory, begun or resumed. Raises UsageError, RecordError, OutputError."""
    return Store(folder, header(engine, plan), len(plan), provenance.session(engine, shape))


def resume(engine: Engine, plan: SweepPlan, shape: BatchShape, store: Store) -> Iterator[Step | Completion | Failure]:
    """Every record of the units that are not finished, each once its unit is saved or as a step of one that will be.

    Raises DecodeError, OutputError.
    """
    for record in sweep(engine, plan, shape, store.finished):
        store.save(record)
        yield record


def saved(engine: Engine, plan: SweepPlan, shape: BatchShape, folder: Path) -> Iterator[Step | Completion | Failure]:
    """Every record of a plan: those that the run directory holds, then the others as they are saved there."""
    with open_store(folder, engine, plan, shape) as store:
        for record in iterate(folder):
            if isinstance(record, Step | Completion | Failure):
                yield record
        yield from resume(engine, plan, shape, store)
