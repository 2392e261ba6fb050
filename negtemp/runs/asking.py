"""What an audit asks for as a task for whoever runs it, kept in a run directory where every token is asked for.

The same command goes on where the last one stopped, and shards on several machines share the work. It leaves out the
audit itself (`audits`).
"""

from functools import partial
from pathlib import Path

from negtemp.errors import PromptError
from negtemp.experiments import asking
from negtemp.experiments.asking import Answers, Ask, AskingPlan
from negtemp.experiments.elicitation import Elicitor
from negtemp.model.engine.engine import Engine
from negtemp.records import Asked, Header
from negtemp.runs import provenance
from negtemp.runs.execution import Execution, Task
from negtemp.runs.sweeping import RUNS
from negtemp.runs.worker import Job, Kind

COMMAND: Kind = "audit --exhaustive"


def every_token(engine: Engine) -> AskingPlan:
    """The plan that asks for a whole vocabulary. Raises PromptError where no prompt fits the model's context."""
    return AskingPlan(tuple(range(engine.model.vocabulary.size)), tuple(Elicitor(engine).prompts))


def header(engine: Engine, plan: AskingPlan) -> Header:
    """The head of what is kept."""
    return provenance.header(COMMAND, engine, plan.to_dict())


def own_folder(engine: Engine) -> Path | None:
    """Where every token's answers are kept, by a hash of model and prompts; None where no token can be asked for."""
    try:
        return RUNS / f"asked-{provenance.digest(header(engine, every_token(engine)))}"
    except PromptError:
        return None


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


def on(engine: Engine, how: Execution, folder: Path | None = None) -> Ask:
    """What asks for an audit: as the execution says, kept in the folder if there is one."""
    return lambda plan: records(engine, plan, how, folder)
