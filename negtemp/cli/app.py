"""The list of commands. Each imports what it needs only when it runs, so that `--help` stays quick."""

from typing import Annotated

import typer

from negtemp.cli.audit import audit
from negtemp.cli.build import build, installed_engine
from negtemp.cli.census import census
from negtemp.cli.centroid import centroid
from negtemp.cli.compare import compare
from negtemp.cli.doctor import doctor
from negtemp.cli.explore import explore
from negtemp.cli.merge import merge
from negtemp.cli.models import models, pull
from negtemp.cli.repeat import repeat
from negtemp.cli.report import report
from negtemp.cli.reproduce import reproduce
from negtemp.cli.rpc import on_servers
from negtemp.cli.run import run
from negtemp.cli.scan import scan
from negtemp.cli.serve import PASS_THROUGH, ServeCommand, serve
from negtemp.cli.show import show
from negtemp.cli.spectrum import spectrum
from negtemp.cli.sweep import sweep
from negtemp.version import __version__

app = typer.Typer(
    name="negtemp",
    help="Sample a language model at any temperature, above and below zero.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(build)
app.command()(doctor)
app.command()(models)
app.command()(pull)
app.command()(on_servers(run))
app.command()(on_servers(compare))
app.command()(on_servers(spectrum))
app.command()(on_servers(explore))
app.command(cls=ServeCommand, context_settings=PASS_THROUGH)(serve)
app.command()(on_servers(sweep))
app.command()(merge)
app.command()(show)
app.command()(report)
app.command()(on_servers(audit))
app.command()(on_servers(census))
app.command()(on_servers(repeat))
app.command()(on_servers(scan))
app.command()(on_servers(centroid))
app.command()(on_servers(reproduce))


def _version(wanted: bool) -> None:
    if wanted:
        engine = installed_engine()
        print(f"negtemp {__version__}\nllama-cpp-python {engine or 'is not installed: negtemp build'}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass
