"""What an audit asks for as a task for whoever runs it, kept in a run directory where every token is asked for.

The same command goes on where the last one stopped, and shards on several machines share the work. It leaves out the
audit itself (`audits`).
"""

from functools import partial
from pathlib import Path

from negtemp.experiments import asking
from negtemp.experiments.asking import Answers, Ask, AskingPlan
from negtemp.model.engine.engine import Engine
from negtemp.records import Asked, Header
from negtemp.runs import provenance
from negtemp.runs.execution import Execution, Task
from negtemp.runs.sweeping import RUNS
from negtemp.runs.worker import Job, Kind

COMMAND: Kind = "audit --exhaustive"


def header(engine: Engine, plan: AskingPlan) -> Header:
    """The head of what is kept."""
    return provenance.header(COMMAND, engine, plan.to_dict())


def own_folder(engine: Engine, plan: AskingPlan) -> Path:
    """Where a plan's answers are kept, by a hash of it and of the model."""
    return RUNS / f"asked-{provenance.digest(header(engine, plan))}"


def records(engine: Engine, plan: AskingPlan, how: Execution, folder: Path | None = None) -> Answers:
    """An Asked for each window; with a folder those that it holds, then the others as they are saved there.

    Raises ModelError, DecodeError, UsageError, RecordError, OutputError.
    """
    task = Task(plan, partial(asking.on_engine, engine, plan), Job.of(engine.model, COMMAND, plan.to_dict()),
                engine.threads)  # fmt: skip
    if folder is None:
        yield from (record for record in how.records(task) if isinstance(record, Asked))
        return
    session = provenance.session(engine, 1) | how.described()
    with how.store(how.shard.folder(folder), header(engine, plan), len(plan), session) as store:
        yield from (record for record in how.records(task, store) if isinstance(record, Asked))


def on(engine: Engine, how: Execution, folder: Path | None = None) -> Ask | None:
    """What asks as the execution says, kept in the folder if there is one; None where it is asked here and not kept."""
    if folder is None and not how.on_workers:
        return None
    return lambda plan: records(engine, plan, how, folder)
