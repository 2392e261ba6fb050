"""`negtemp show`: any saved run, drawn as its command drew it, with neither the model nor the library at hand."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options


def show(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="the folder or file that any command has saved, or - for a pipe")
    ],
    everything: Annotated[
        bool, typer.Option("--all", rich_help_panel="Output", help="all that is there, not the top of a list")
    ] = False,
    json: options.Json = False,
) -> None:
    """A saved run as its command drew it; of a sweep, finished or not, the table by beta."""
    from negtemp.cli import output as outputs
    from negtemp.experiments.summary import summarize
    from negtemp.runs.reading import read_run
    from negtemp.views.presenters import PRESENTERS, unknown

    saved = read_run(run)
    command = saved.header.command
    with outputs.opened(json) as out:
        records = summarize(saved.records) if command == "sweep" else saved.records
        out.begin(saved.header)
        out.present(saved.header, records, PRESENTERS.get(command, unknown), everything)
