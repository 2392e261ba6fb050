"""`negtemp centroid`: who lies near the centroids of embedding and unembedding, and where given tokens lie."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options, token_selection


def centroid(
    model: options.Model = None,
    tokens: token_selection.Tokens = None,
    tokens_raw: token_selection.TokensRaw = None,
    ids: token_selection.Ids = None,
    run: token_selection.From = None,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, rich_help_panel="Output", help="tokens to list at each end")
    ] = 8,
    seed: Annotated[
        int, typer.Option("-s", "--seed", rich_help_panel="Tokens", help="of the random hidden states and of p")
    ] = 0,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", rich_help_panel="Output", help="draw it as well, into a .png or .svg"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", rich_help_panel="Output", help="every token, nearest first")
    ] = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Geometry of the embedding and the unembedding: who lies near the centre, and where given tokens lie."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import centroid_inputs, plotting, session
    from negtemp.cli import output as outputs
    from negtemp.experiments import centroid as experiment
    from negtemp.printable import printable_path
    from negtemp.views import geometry_plot, presenters

    plotting.check(plot)
    drawn_seed, listed = options.seed(seed), None if everything or plot else top
    emitted = centroid_inputs.read(run)
    found = centroid_inputs.model_found(model, emitted)
    with centroid_inputs.opened(found) as (engine, weights), outputs.opened(json, output) as out:
        named = token_selection.token_ids(engine.model.vocabulary, tokens, ids, tokens_raw)
        settings = {
            "token_ids": named, "from": printable_path(run) if run else None, "top": listed, "seed": drawn_seed,
            "shown": None if everything else top,
        }  # fmt: skip
        header = session.header("centroid", engine, settings)
        sets = centroid_inputs.sets(
            weights, engine.model.vocabulary.size, named, emitted, drawn_seed,
            lambda: session.open_engine(found, n_gpu_layers, threads),
        )  # fmt: skip
        outputs.warn(token_selection.remarks(engine.model.vocabulary, tokens))
        outputs.warn(token_selection.warnings(emitted.header if emitted else None, header))
        out.begin(header)
        measured = experiment.centroid(weights, engine.model.vocabulary, sets, listed, drawn_seed, threads)
        if plot is None:
            out.present(header, measured, presenters.centroid)
            return
        kept = list(out.tee(measured))
        plotting.save(plot, lambda suffix: geometry_plot.geometry(kept, suffix))
        out.draw(header, kept, presenters.centroid)
