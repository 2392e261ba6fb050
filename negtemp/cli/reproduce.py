"""`negtemp reproduce`: the article's experiment on one model, and a verdict for each of its claims."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options

_ASKING = "Asking"


@options.sampling("n_predict")
def reproduce(
    *,
    model: options.Model = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--prompt", metavar="TEXT", rich_help_panel="Prompt", show_default="the article's and 23 more",
            help="a prompt instead; may be repeated, five at least to tell anything",
        ),
    ] = None,
    file: options.File = None,
    sampling: options.Sampling,
    seed: options.Seed = 1,
    asked: Annotated[
        int, typer.Option("--asked", min=0, rich_help_panel=_ASKING, help="emitted tokens to ask the model to say")
    ] = 20,
    controls: Annotated[
        int, typer.Option("--controls", min=0, rich_help_panel=_ASKING, help="matched tokens for each of them")
    ] = 3,
    counts: Annotated[
        Path | None,
        typer.Option(
            "--counts", metavar="FILE", rich_help_panel="Model", show_default="NAME.counts.json beside the model",
            help="how often each token occurred in training, where it is known",
        ),
    ] = None,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    json: options.Json = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", rich_help_panel="Output",
            show_default="negtemp-runs/reproduce-FINGERPRINT", help="a new folder to write records.jsonl into",
        ),
    ] = None,
) -> None:  # fmt: skip
    """The article's experiment on one model: what of it holds here, by how much, and against which controls."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import rendering, session
    from negtemp.experiments import reproduce as experiment
    from negtemp.experiments import training_counts
    from negtemp.experiments.elicitation import Elicitor
    from negtemp.experiments.prompts import PROMPTS
    from negtemp.views import presenters

    n_predict = options.settings(sampling).n_predict
    prompts = options.prompts(prompt, file) if prompt or file else list(PROMPTS)
    drawn_seed = options.seed(seed)
    with session.open_engine(model, n_gpu_layers, threads) as engine:
        path = counts or training_counts.beside(engine.model.path)
        known = None if path is None else training_counts.read_counts(path, engine.model.vocabulary.size)
        how = experiment.ReproduceSettings(n_predict, drawn_seed, asked, controls, known)
        header = session.header("reproduce", engine, {
            "prompts": prompts, "n_predict": n_predict, "seed": drawn_seed, "asked": asked, "controls": controls,
            "counts": None if path is None else path.name, "betas": [t.beta for t in experiment.TEMPERATURES],
        })  # fmt: skip
        folder = output or session.free_folder(f"reproduce-{header.model.fingerprint[:8]}")
        elicitor = Elicitor(engine)
        rendering.warn(elicitor.left_out)
        with outputs.opened(json, folder) as out:
            out.begin(header)
            total = 2 * len(prompts) * (n_predict + 1) + asked * (1 + controls) + len(experiment.CLAIMS)
            records = rendering.tracked(experiment.reproduce(elicitor, how, prompts), total)
            out.present(header, records, presenters.reproduction)
        rendering.note(f"written to {folder}")
