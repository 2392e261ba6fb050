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
app.command()(run)
app.command()(compare)
app.command()(spectrum)
app.command()(explore)
app.command(cls=ServeCommand, context_settings=PASS_THROUGH)(serve)
app.command()(sweep)
app.command()(merge)
app.command()(show)
app.command()(report)
app.command()(audit)
app.command()(census)
app.command()(repeat)
app.command()(scan)
app.command()(centroid)
app.command()(reproduce)


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
