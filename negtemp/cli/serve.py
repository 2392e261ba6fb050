"""`negtemp serve`: the patched llama-server, with every filter off, for any client of the OpenAI API."""

import signal
from typing import Annotated

import typer

from negtemp.cli import options

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}

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

    from negtemp.model import source
    from negtemp.server import Address, Server

    path = source.resolve(model)
    address = Address(host, port, api_key)
    signal.signal(signal.SIGTERM, _stop)
    with Server(path, address, context.args, sys.stderr if verbose else None) as server:
        typer.echo(f"loading {source.shown(path)}", err=True)
        server.wait_until_ready()
        server.prove()
        url, key = server.address.url, "YOUR KEY" if api_key else "none"
        typer.echo(f"serving {url}  (Ctrl-C stops)\n\n{_EXAMPLE.format(url=url, key=key, name=path.stem)}\n")
        sys.stdout.flush()
        status = server.wait()
    raise typer.Exit(1 if status else 0)


def _stop(*_: object) -> None:
    """SIGTERM, as a service manager sends it: leave the block, which stops the server, with status 0."""
    raise SystemExit(0)
