"""The options that put work on workers and shards, for every command whose work can be split, said once."""

import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from negtemp.cli import options, rpc
from negtemp.errors import UsageError

if TYPE_CHECKING:
    from negtemp.runs.execution import Execution as Execution
else:  # typer reads annotations as the program starts, before numpy comes in
    Execution = object

_WORKERS = "Workers"

Count = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", rich_help_panel=_WORKERS, show_default="1, or one a device",
        help="processes, each with a model of its own",
    ),
]  # fmt: skip
Devices = Annotated[
    str | None,
    typer.Option(
        "--devices", metavar="LIST", rich_help_panel=_WORKERS, help="GPUs for the workers in turn, as 0,1 or UUIDs"
    ),
]
Executor = Annotated[
    Literal["process", "ray"],
    typer.Option("--executor", rich_help_panel=_WORKERS, help="processes, or actors of the cluster at $RAY_ADDRESS"),
]
NumCpus = Annotated[
    float, typer.Option("--num-cpus", min=0, rich_help_panel=_WORKERS, help="of a node, for each Ray worker")
]
NumGpus = Annotated[
    float,
    typer.Option("--num-gpus", min=0, rich_help_panel=_WORKERS, help="of a node, for each Ray worker, such as 0.5"),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", rich_help_panel=_WORKERS, show_default="all units",
        help="the I-th of N parts, in a folder of its own; slurm for an array's task; negtemp merge puts them together",
    ),
]  # fmt: skip


def execution(
    *, workers: int | None, devices: str | None, executor: Literal["process", "ray"], num_cpus: float, num_gpus: float,
    n_gpu_layers: int, shard: str | None = None, parallel: int | None = None, retry_failed: bool = False,
) -> Execution:  # fmt: skip
    """How to run a plan's units. Raises UsageError."""
    from negtemp.runs import shards
    from negtemp.runs.execution import Execution as Execution
    from negtemp.runs.ray_cluster import Share

    names = tuple(name.strip() for name in (devices or "").split(",") if name.strip())
    if names and executor == "ray":
        raise UsageError("Ray gives each worker its devices; say how many with --num-gpus in place of --devices")
    found = Execution(
        parallel=parallel, shard=shards.Shard.of_text(shard, os.environ) if shard else shards.WHOLE,
        retry_failed=retry_failed, executor=executor, workers=workers, devices=names,
        share=Share(cpus=num_cpus, gpus=num_gpus), n_gpu_layers=n_gpu_layers,
    )  # fmt: skip
    if rpc.servers() and found.on_workers:
        raise UsageError("--rpc cannot be combined with workers: a ggml-rpc-server serves one program at a time")
    return found


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "workers": (Count, None), "devices": (Devices, None), "executor": (Executor, "process"), "num_cpus": (NumCpus, 1.0),
    "num_gpus": (NumGpus, 0.0), "shard": (Shard, None),
}  # fmt: skip


def executed(*names: str) -> Callable[[options.Command], options.Command]:
    """Give a command the options of these names in the place of its parameter `how`, an Execution made of them."""

    def made(chosen: dict[str, Any], others: Mapping[str, Any]) -> Execution:
        return execution(**chosen, n_gpu_layers=others["n_gpu_layers"])

    return options.in_place_of("how", list(map(_parameter, names)), made)


def _parameter(name: str) -> inspect.Parameter:
    annotation, default = _OPTIONS[name]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
