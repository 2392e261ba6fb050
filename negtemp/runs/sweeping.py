"""A sweep as a task for whoever runs it, and its run directory."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from negtemp.experiments.sweep import SweepPlan, sweep
from negtemp.model.engine.engine import BatchShape, Engine
from negtemp.records import Completion, Failure, Header, Step
from negtemp.runs import provenance
from negtemp.runs.execution import Execution, Task
from negtemp.runs.lines import NAME, finished_units
from negtemp.runs.manifest import Manifest, differences
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


def open_store(folder: Path, engine: Engine, plan: SweepPlan, shape: BatchShape, how: Execution | None = None) -> Store:
    """The run directory, begun or resumed. Raises UsageError, RecordError, OutputError."""
    how = how or Execution()
    session = provenance.session(engine, shape.slots) | how.described()
    return how.store(folder, header(engine, plan), len(plan), session)


def records(
    engine: Engine, plan: SweepPlan, shape: BatchShape, how: Execution, folder: Path | None
) -> Iterator[Step | Completion | Failure]:
    """Every record of a sweep; with a folder those that it holds, then the others as they are saved there."""
    with nullcontext() if folder is None else open_store(folder, engine, plan, shape, how) as store:
        for record in how.records(task(engine, plan, shape), store):
            if isinstance(record, Step | Completion | Failure):
                yield record


def task(engine: Engine, plan: SweepPlan, shape: BatchShape) -> Task:
    """The sweep for whoever runs it: here, or on workers that are told all of it."""
    job = Job.of(engine.model, "sweep", described(plan), shape.slots)
    return Task(plan, lambda units: sweep(engine, plan, shape, units), job, engine.threads)
