"""`--rpc HOST:PORT,…` on every command that loads a model, said once."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from negtemp.cli.messages import say

# of the one command that this process runs; ggml asks for it from threads of its own
_servers: list[str] = []

Rpc = Annotated[
    str | None,
    typer.Option(
        "--rpc", metavar="HOST:PORT,…", rich_help_panel="Model", show_default=False,
        help="ggml-rpc-servers that hold layers of the model; a trusted network only",
    ),
]  # fmt: skip


def on_servers(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option --rpc after its last one of the model."""

    @functools.wraps(command)
    def run(*, rpc: str | None = None, **values: Any) -> None:
        if rpc is not None:
            from negtemp.model.rpc import servers_in

            _servers[:] = servers_in(rpc)
        command(**values)

    signature = inspect.signature(command)
    parameters = list(signature.parameters.values())
    place = [parameter.name for parameter in parameters].index("n_gpu_layers") + 1
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    option = inspect.Parameter("rpc", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Rpc)
    run.__signature__ = signature.replace(parameters=[*parameters[:place], option, *parameters[place:]])  # type: ignore[attr-defined]
    return run


def servers() -> tuple[str, ...]:
    """What --rpc names, in the command that runs."""
    return tuple(_servers)


def remark() -> None:
    """Say what upstream says of RPC."""
    say(
        f"layers go to {', '.join(servers())} in plain TCP without a password; llama.cpp calls this fragile and "
        "insecure: use it in a network that you trust, or through ssh -L"
    )
