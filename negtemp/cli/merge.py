"""`negtemp merge`: shards of a sweep into one run directory."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="run directories of one sweep; or its folder, for all shards in it"),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", rich_help_panel="Output", show_default="the folder of the shards",
        help="the merged run directory",
    ),
]  # fmt: skip
_PARTIAL = 4


def merge(runs: Runs, output: Output = None, json: options.Json = False) -> None:
    """Put shards of a sweep or an audit together; again, to add what has come since. Names what is missing."""
    from negtemp.cli import output as outputs
    from negtemp.printable import printable_path
    from negtemp.runs import merging
    from negtemp.views import console
    from negtemp.views import sweep as view

    given, folder = _places(runs, output)
    merged = merging.merge(given, folder)
    with outputs.opened(json) as out:
        out.write(merged)
        lines = [*view.merged(merged), f"in {printable_path(folder)}; negtemp show draws it"]
        out.show(map(console.Line, lines))
    raise typer.Exit(_PARTIAL if merged.missing else 0)


def _places(runs: list[Path], output: Path | None) -> tuple[list[Path], Path]:
    """The runs to merge and the folder for them. Raises UsageError."""
    from negtemp.errors import UsageError
    from negtemp.printable import printable_path
    from negtemp.runs.merging import shards_in

    shards = shards_in(runs[0]) if len(runs) == 1 else []
    if shards:
        return shards, output or runs[0]
    if output is None:
        raise UsageError(
            f"{printable_path(runs[0])} holds no shards; name the run directories and -o, a folder for all of them"
            if len(runs) == 1
            else "give -o, a folder for the merged run"
        )
    return runs, output
