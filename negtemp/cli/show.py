"""`negtemp show`: the table by beta of a run directory, with neither the model nor the library at hand."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options
from negtemp.errors import RecordError


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run directory, or what --output has written")],
    json: options.Json = False,
) -> None:
    """The table by beta of a sweep, finished or not: means and shares with their intervals."""
    from negtemp.experiments.summary import summarize
    from negtemp.printable import printable_path
    from negtemp.records import Header, Record, to_line
    from negtemp.runs import reading
    from negtemp.views import console
    from negtemp.views import sweep as view

    records = reading.iterate(run)
    header = next(records, None)
    if not isinstance(header, Header):
        raise RecordError(f"{printable_path(run)} does not begin with a header; give a folder that negtemp has written")
    summaries = summarize(records)
    if json:
        shown: list[Record] = [header, *summaries]
        print("\n".join(map(to_line, shown)))
        return
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim", soft_wrap=True)
    for piece in view.by_beta(summaries, out):
        out.print(piece)
