"""`negtemp models`: the models on this machine that can be given by name; and `negtemp pull`, which fetches one."""

from typing import Annotated

import typer

from negtemp.cli import options


def models(json: options.Json = False) -> None:
    """The models on this machine by name: in the hub's cache, llama.cpp's, LM Studio's and Ollama's. Opens none."""
    from negtemp.model import references
    from negtemp.records import to_line
    from negtemp.views import console, presenters

    found = list(references.models())
    if json:
        for model in found:
            print(to_line(model))
    elif found:
        console.stdout().print(presenters.models(found))
        console.stderr().print("name one with -m; without it the bundled model runs", style="dim", soft_wrap=True)
    else:
        console.stderr().print(
            "no model here has a name; `negtemp pull hf:org/repo` fetches one, and -m takes the path of any .gguf file",
            soft_wrap=True,
        )


def pull(
    reference: Annotated[
        str, typer.Argument(metavar="NAME", help="hf:org/repo, hf:org/repo:Q4_K_M or hf:org/repo:file.gguf, @revision")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say which files and how many bytes it would fetch, and fetch none")
    ] = False,
    json: options.Json = False,
) -> None:
    """Fetch a model from the hub into its own cache, where every program finds it; goes on where it was cut off."""
    from negtemp.model.references import pull as fetching
    from negtemp.printable import printable_path
    from negtemp.records import to_line
    from negtemp.records.local_model import size_text
    from negtemp.views import console, progress

    err = console.stderr()
    wanted = fetching.snapshot(reference)
    if json:
        print(to_line(wanted.record))
    for file in wanted.files:
        there = " (here already)" if file.is_here else f", {size_text(file.begun)} of it here" if file.begun else ""
        err.print(f"{printable_path(file.name)}  {size_text(file.size)}{there}", soft_wrap=True)
    if dry_run:
        err.print(f"would fetch {size_text(wanted.missing)}", soft_wrap=True)
        return
    with progress.of_bytes("fetching", err) as advance:
        path = fetching.fetch(wanted, advance)
    if not json:
        print(printable_path(path))
