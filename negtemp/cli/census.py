"""`negtemp census`: how many tokens a model never trained: by the plateau below zero, their level, the file's list."""

from typing import Annotated

import typer

from negtemp.cli import options


def census(
    model: options.Model = None,
    blind: Annotated[
        bool, typer.Option("--blind", rich_help_panel="Census", help="find the level without the file's own list")
    ] = False,
    unused: options.Unused = None,
    seed: Annotated[int, typer.Option("-s", "--seed", rich_help_panel="Census", help="of the contexts drawn")] = 1,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """How many tokens were never trained: three counts that know nothing of one another."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments import census as experiment
    from negtemp.model.weights.tensors import Weights
    from negtemp.views import presenters

    drawn_seed = options.seed(seed)
    with session.open_engine(model, n_gpu_layers, threads) as engine, outputs.opened(json, output) as out:
        header = session.header("census", engine, {"seed": drawn_seed, "blind": blind, "unused": unused or []})
        out.begin(header)
        with Weights(engine.model.library, engine.model.path) as weights:
            counts = experiment.census(
                engine, weights, seed=drawn_seed, blind=blind, unused=unused or (), progress=outputs.progress_bar
            )
            out.present(header, counts, presenters.census)
