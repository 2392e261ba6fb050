"""`negtemp serve`: the patched llama-server, with every filter off, for any client of the OpenAI API."""

import os
import re
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from negtemp.cli import options
from negtemp.errors import UsageError

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
# options that make llama-server fetch or choose a model itself, and the variables that do the same
_OTHER_MODELS = {
    "-hf": "LLAMA_ARG_HF_REPO", "-hfr": "", "--hf-repo": "", "-hff": "LLAMA_ARG_HF_FILE", "--hf-file": "",
    "-mu": "LLAMA_ARG_MODEL_URL", "--model-url": "", "-dr": "LLAMA_ARG_DOCKER_REPO", "--docker-repo": "",
    "--models-dir": "LLAMA_ARG_MODELS_DIR", "--models-preset": "LLAMA_ARG_MODELS_PRESET",
}  # fmt: skip
_NAMED_MODEL = re.compile(r"--(embd|fim|gpt-oss|vision)-.+-(default|spec)")


class ServeCommand(TyperCommand):
    """Leaves llama-server's options whole, in the spellings that it takes and in `--name=value`, which it does not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # `-md FILE` would else be read as `-m d`, and `-hf` as `-h -f`
        hidden = [f"\0{part}" if re.fullmatch(r"-[a-zA-Z]{2,}", part) else _dashed(part) for part in args]
        rest = super().parse_args(ctx, hidden)
        ctx.args = [part for given in ctx.args for part in _parts(given.removeprefix("\0"))]
        return rest


def _dashed(part: str) -> str:
    """An option's name with dashes, as llama-server reads `--api_key`."""
    name, equals, value = part.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if re.fullmatch(r"--[\w.-]+", name) else part


def _parts(part: str) -> list[str]:
    return part.split("=", 1) if re.match(r"--[\w.-]+=", part) else [part]


_EXAMPLE = """\
client = openai.OpenAI(base_url="{url}", api_key="{key}")
client.completions.create(model="{name}", prompt="Temperature is a concept", temperature=-0.001, max_tokens=20)"""


def _option(*names: str, variable: str, **shown: Any) -> Any:
    """An option of llama-server's that negtemp reads first; the name of its variable would fill the help."""
    return typer.Option(*names, envvar=variable, show_envvar=False, **shown)


_Host = Annotated[str, _option("--host", variable="LLAMA_ARG_HOST", help="address; one that others reach needs a key")]
_Port = Annotated[int, _option("--port", variable="LLAMA_ARG_PORT", help="0 takes any free one")]
_Keys = Annotated[
    list[str] | None,
    _option("--api-key", variable="LLAMA_API_KEY", metavar="KEY", help="what clients must send; may be several"),
]
_KeyFile = Annotated[
    Path | None, _option("--api-key-file", variable="LLAMA_ARG_API_KEY_FILE", metavar="FILE", help="keys, one a line")
]
_Prefix = Annotated[
    str, _option("--api-prefix", variable="LLAMA_ARG_API_PREFIX", metavar="PATH", help="put before every path")
]
_Alias = Annotated[
    str | None,
    _option(
        "-a", "--alias", variable="LLAMA_ARG_ALIAS", metavar="NAME", show_default="the file's", help="name for clients"
    ),
]


def serve(
    context: typer.Context,
    model: options.Model = None,
    host: _Host = "127.0.0.1",
    port: _Port = 8080,
    api_key: _Keys = None,
    api_key_file: _KeyFile = None,
    api_prefix: _Prefix = "",
    alias: _Alias = None,
    ready_timeout: Annotated[
        float, typer.Option("--ready-timeout", metavar="SECONDS", min=0, help="how long loading may take")
    ] = 600.0,
    verbose: Annotated[bool, typer.Option("--verbose", help="show the server's own log on standard error")] = False,
) -> None:
    """Serve the OpenAI API at any temperature. Other options go to llama-server as they are."""
    import sys

    from negtemp.model import model_file
    from negtemp.printable import printable_path
    from negtemp.server import Address, Server, keys_in

    _refuse_other_models(context.args)
    if ready_timeout <= 0:
        raise UsageError(f"--ready-timeout is {ready_timeout:g}; give more than 0 seconds")
    found = model_file.find(model or os.environ.get("LLAMA_ARG_MODEL"))
    keys = [*(api_key or []), *([keys_in(api_key_file)] if api_key_file else [])]
    address = Address(host.removeprefix("[").removesuffix("]"), port, "\n".join(keys), _rooted(api_prefix))
    for sent in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, _stop)
    log = sys.stderr if verbose else None
    with Server(found.path, address, context.args, log, name=alias or found.reference) as server:
        typer.echo(f"loading {printable_path(found.path)}", err=True)
        server.wait_until_ready(ready_timeout)
        server.prove()
        if server.settings()["mirostat"]:
            typer.echo('mirostat is on: a request below zero needs "mirostat": 0, or is refused', err=True)
        url, key = server.address.url, "YOUR KEY" if address.keys else "none"
        name = server.name.split(",")[0]
        typer.echo(f"serving {url}  (Ctrl-C stops)\n\n{_EXAMPLE.format(url=url, key=key, name=name)}\n")
        sys.stdout.flush()
        server.wait()


def _refuse_other_models(given: list[str]) -> None:
    named = [part for part in given if part in _OTHER_MODELS or _NAMED_MODEL.fullmatch(part)]
    named += [variable for variable in _OTHER_MODELS.values() if os.environ.get(variable)]
    if named:
        raise UsageError(f"{named[0]} lets llama-server choose a model; name it with -m, as in -m hf:org/repo")


def _rooted(prefix: str) -> str:
    path = prefix.strip("/")
    return f"/{path}" if path else ""


def _stop(*_: object) -> None:
    """What a service manager and a closed terminal send: leave the block, which stops the server, with status 0."""
    raise SystemExit(0)
