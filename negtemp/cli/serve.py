"""`negtemp serve`: the patched llama-server, with every filter off, for any client of the OpenAI API."""

import re
import signal
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from negtemp.cli import options

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


class ServeCommand(TyperCommand):
    """Leaves llama-server's short options whole: `-md FILE` would else be read as `-m d`, and `-hf` as `-h -f`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        hidden = [f"\0{part}" if re.fullmatch(r"-[a-zA-Z]{2,}", part) else part for part in args]
        rest = super().parse_args(ctx, hidden)
        ctx.args = [part.removeprefix("\0") for part in ctx.args]
        return rest


_EXAMPLE = """\
client = openai.OpenAI(base_url="{url}", api_key="{key}")
client.completions.create(model="{name}", prompt="Temperature is a concept", temperature=-0.001, max_tokens=20)"""


def serve(
    context: typer.Context,
    model: options.Model = None,
    host: Annotated[
        str, typer.Option("--host", help="address to listen on; one that others reach needs an --api-key")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes any free one")] = 8080,
    api_key: Annotated[
        str | None, typer.Option("--api-key", metavar="KEY", envvar="LLAMA_API_KEY", help="what clients must send")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="show the server's own log on standard error")] = False,
) -> None:
    """Serve the OpenAI API at any temperature. Other options go to llama-server as they are."""
    import sys

    from negtemp.model import model_file
    from negtemp.server import Address, Server

    path = model_file.resolve(model)
    address = Address(host, port, api_key)
    for sent in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, _stop)
    with Server(path, address, context.args, sys.stderr if verbose else None) as server:
        typer.echo(f"loading {model_file.shown(path)}", err=True)
        server.wait_until_ready()
        server.prove()
        url, key = server.address.url, "YOUR KEY" if api_key else "none"
        typer.echo(f"serving {url}  (Ctrl-C stops)\n\n{_EXAMPLE.format(url=url, key=key, name=path.stem)}\n")
        sys.stdout.flush()
        server.wait()


def _stop(*_: object) -> None:
    """What a service manager and a closed terminal send: leave the block, which stops the server, with status 0."""
    raise SystemExit(0)
