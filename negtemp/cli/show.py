"""`negtemp show`: any saved run, drawn as its command drew it, with neither the model nor the library at hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negtemp.cli import options

if TYPE_CHECKING:
    from negtemp.runs.reading import SavedRun


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
    from negtemp.cli.output import draw
    from negtemp.records import to_line
    from negtemp.runs.reading import read_run
    from negtemp.views.presenters import PRESENTERS, unknown

    saved = read_run(run)
    if saved.header.command == "sweep":
        _by_beta(saved, json)
    elif json:
        print(to_line(saved.header))
        for record in saved.records:
            print(to_line(record))
    else:
        draw(saved.header, saved.records, PRESENTERS.get(saved.header.command, unknown), everything)


def _by_beta(saved: "SavedRun", json: bool) -> None:
    """The table by beta, or its Summaries."""
    from negtemp.experiments.summary import summarize
    from negtemp.records import Record, to_line
    from negtemp.views import console
    from negtemp.views import sweep as view

    summaries = summarize(saved.records)
    if json:
        shown: list[Record] = [saved.header, *summaries]
        print("\n".join(map(to_line, shown)))
        return
    out = console.stdout()
    console.stderr().print(console.title(saved.header), style="dim", soft_wrap=True)
    for piece in view.by_beta(summaries, out):
        out.print(piece)
