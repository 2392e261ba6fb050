"""`negtemp explore`: a local page with a live model and a slider of beta through zero."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options
from negtemp.errors import NegtempError
from negtemp.experiments.settings import PROMPT

_SERVER = "Server"
_MISSING = "the page needs starlette and uvicorn, and {name} is not installed; run: pip install 'negtemp[web]'"

Prompt = Annotated[
    str, typer.Option("-p", "--prompt", metavar="TEXT", rich_help_panel="Prompt", help="the text to begin with")
]
Temp = Annotated[
    float | None,
    typer.Option(
        "--temp", "--temperature", rich_help_panel=options.TEMP_PANEL, show_default="1",
        help="temperature to begin with",
    ),
]  # fmt: skip
Beta = Annotated[float | None, typer.Option("--beta", rich_help_panel=options.TEMP_PANEL, help="1/T instead")]
Port = Annotated[int, typer.Option("--port", rich_help_panel=_SERVER, help="0 takes any free one")]
Host = Annotated[
    str, typer.Option("--host", rich_help_panel=_SERVER, help="address; one that others reach needs a key")
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--api-key", metavar="KEY", rich_help_panel=_SERVER, help="what opens the page; may be several"),
]
KeyFile = Annotated[
    Path | None, typer.Option("--api-key-file", metavar="FILE", rich_help_panel=_SERVER, help="keys, one a line")
]
Open = Annotated[bool, typer.Option("--open", rich_help_panel=_SERVER, help="open the page in a browser")]


@options.sampling("ctx_size")
def explore(
    *,
    model: options.Model = None,
    prompt: Prompt = PROMPT,
    chat: options.Chat = False,
    system: options.System = None,
    temp: Temp = None,
    beta: Beta = None,
    seed: options.Seed = 1,
    sampling: options.Sampling,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    host: Host = "127.0.0.1",
    port: Port = 8770,
    api_key: Keys = None,
    api_key_file: KeyFile = None,
    open_page: Open = False,
) -> None:  # fmt: skip
    """Open a page on a live model: drag beta through zero, see every token's probability, draw, branch, map."""
    try:
        from negtemp.web import serving
        from negtemp.web.service import Beginning, CommandLine
    except ModuleNotFoundError as missing:
        raise NegtempError(_MISSING.format(name=missing.name)) from None
    from negtemp.cli import session
    from negtemp.cli.messages import shell_command, with_flags
    from negtemp.printable import printable_path
    from negtemp.server import Address, keys_in
    from negtemp.theory.temperature import Temperature

    at = options.temperature(temp, beta, Temperature.of(1.0))
    settings, drawn_seed = options.settings(sampling), options.seed(seed)
    keys = [*(api_key or []), *([keys_in(api_key_file)] if api_key_file else [])]
    address = Address(host.removeprefix("[").removesuffix("]"), port, "\n".join(keys))
    listening = serving.bound(address)
    with listening, session.open_engine(model, n_gpu_layers, threads) as engine:
        chosen = [] if model is None else ["-m", str(model)]
        command = CommandLine(shell_command(chosen), lambda text: shell_command([text]), with_flags)
        (begun,) = session.prompts(engine, [prompt], (), chat, system)
        beginning = Beginning(begun, at.beta, drawn_seed)

        def ready(page: serving.Opened) -> None:
            said = f"exploring {printable_path(engine.model.path)}"
            typer.echo(f"{said}{'' if page.has_token else '; the page asks for a key'}  (Ctrl-C stops)", err=True)
            typer.echo(page.url)
            sys.stdout.flush()
            if open_page:
                _open(page.url)

        context = engine.model.context(settings.ctx_size)
        if not serving.serve(engine, address, listening, context, command, beginning, ready):
            # a decode is under way that nothing can interrupt, in memory that closing the model would free
            sys.stdout.flush()
            os._exit(0)


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        typer.echo("no browser was found to open it in", err=True)
