"""`negtemp sweep`: prompts × temperatures × seeds into a run directory that survives anything."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from negtemp.cli import options
from negtemp.cli import workers as on

_SWEEP = "Sweep"
_EXECUTION = (
    "workers", "devices", "executor", "num_cpus", "num_gpus", "n_gpu_layers", "shard", "parallel", "retry_failed",
)  # fmt: skip

PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", rich_help_panel=_SWEEP, help="a TOML file that holds these options"),
]
Temps = Annotated[
    str | None, typer.Option("--temps", metavar="LIST", rich_help_panel=options.TEMP_PANEL, help="temperatures")
]
Betas = Annotated[
    str | None,
    typer.Option(
        "--betas", metavar="LIST", rich_help_panel=options.TEMP_PANEL,
        show_default="21 from -1000 through 0 to 1000", help="inverse temperatures 1/T",
    ),
]  # fmt: skip
Seeds = Annotated[
    str,
    typer.Option(
        "--seeds", metavar="LIST", rich_help_panel=_SWEEP, help="a unit for each; all betas share it; or 1-16"
    ),
]
Repeats = Annotated[
    int, typer.Option("--repeats", min=1, rich_help_panel=_SWEEP, help="units for each seed, each drawn anew")
]
Parallel = Annotated[
    int | None,
    typer.Option(
        "-np", "--parallel", min=1, max=200, rich_help_panel=_SWEEP, show_default="what is fastest here",
        help="sequences decoded together",
    ),
]  # fmt: skip
Deterministic = Annotated[
    bool, typer.Option("--deterministic", rich_help_panel=_SWEEP, help="one sequence at a time, to the last bit")
]
EmitSbatch = Annotated[
    str | None,
    typer.Option(
        "--emit-sbatch", metavar="TASKS", rich_help_panel=_SWEEP, show_default=False,
        help="print a Slurm script that runs this as an array of so many shards; 100%16 for 16 at once",
    ),
]  # fmt: skip
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", rich_help_panel=_SWEEP, help="run units again that could not be generated")
]
Steps = Annotated[bool, typer.Option("--steps", rich_help_panel="Output", help="keep a record of every token as well")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", rich_help_panel=_SWEEP, help="say how many units, how much memory and time")
]
RunDirectory = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", rich_help_panel="Output", show_default="negtemp-runs/sweep-…",
        help="the run directory",
    ),
]  # fmt: skip


@options.sampling()
def sweep(
    *,
    context: typer.Context,
    model: options.Model = None,
    prompt: options.Prompt = None,
    file: options.File = None,
    chat: options.Chat = False,
    system: options.System = None,
    plan: PlanFile = None,
    temps: Temps = None,
    betas: Betas = None,
    seeds: Seeds = "1",
    repeats: Repeats = 1,
    parallel: Parallel = None,
    deterministic: Deterministic = False,
    sampling: options.Sampling,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    workers: on.Count = None,
    devices: on.Devices = None,
    executor: on.Executor = "process",
    num_cpus: on.NumCpus = 1.0,
    num_gpus: on.NumGpus = 0.0,
    shard: on.Shard = None,
    retry_failed: RetryFailed = False,
    emit_sbatch: EmitSbatch = None,
    steps: Steps = False,
    dry_run: DryRun = False,
    json: options.Json = False,
    output: RunDirectory = None,
) -> None:
    """Prompts × temperatures × seeds into a run directory; the same command again goes on where it stopped."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import plan as plan_file
    from negtemp.cli import session
    from negtemp.cli.sweep_runner import SweepRunner

    given = {name for name in context.params if context.get_parameter_source(name).name != "DEFAULT"}  # type: ignore[union-attr]
    wanted: dict[str, Any] = context.params | (_from_plan(plan_file, plan, given) if plan else {})
    what = _plan(wanted)
    execution = on.execution(**{name: wanted[name] for name in _EXECUTION})
    if wanted["emit_sbatch"]:
        _emit_sbatch(wanted)
        return
    # where workers decode, the model is opened here for its tokens only
    layers = 0 if execution.on_workers else wanted["n_gpu_layers"]
    with session.open_engine(wanted["model"], layers, wanted["threads"]) as engine, outputs.opened(json) as out:
        framed = session.prompts(engine, what.prompts, (), wanted["chat"], wanted["system"])
        what = replace(what, prompts=tuple(framed))
        runner = SweepRunner(engine, what, wanted["output"], execution, out)
        if dry_run:
            runner.forecast()
            return
        status = runner.run()
    raise typer.Exit(status)


def _from_plan(plan_file: Any, path: Path, given: set[str]) -> dict[str, Any]:
    """The plan's values, less what the command line decides."""
    decided = given | {name for group in plan_file.GROUPS if given & set(group) for name in group}
    return {name: value for name, value in plan_file.read(path).items() if name not in decided}


def _emit_sbatch(wanted: dict[str, Any]) -> None:
    """Print the script. Raises UsageError."""
    from negtemp.cli import sbatch
    from negtemp.errors import UsageError

    if wanted["shard"] or wanted["output"] is None:
        raise UsageError(
            "--emit-sbatch gives each task its --shard; leave that out"
            if wanted["shard"]
            else "--emit-sbatch needs -o, the folder that all tasks write into"
        )
    array = sbatch.Array.of_text(wanted["emit_sbatch"])
    command = [os.path.abspath(sys.argv[0]), *sys.argv[1:]]
    typer.echo(sbatch.script(array, command, os.fspath(wanted["output"])), nl=False)


def _plan(wanted: dict[str, Any]) -> Any:
    """What to sweep over. Raises UsageError, PromptError."""
    from negtemp.errors import UsageError
    from negtemp.experiments.sweep import TEMPERATURES, SweepPlan

    seeds = options.whole_numbers("--seeds", wanted["seeds"])
    if min(seeds) < 0:
        raise UsageError("--seeds takes whole numbers of at least 0: a sweep that cannot be repeated cannot be resumed")
    return SweepPlan(
        tuple(options.prompts(wanted["prompt"], wanted["file"])),
        tuple(options.temperatures(wanted["temps"], wanted["betas"], TEMPERATURES)),
        tuple(seeds), wanted["repeats"], options.settings(wanted),
        wanted["deterministic"], wanted["steps"],
    )  # fmt: skip
