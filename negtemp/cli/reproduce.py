"""`negtemp reproduce`: the article's experiment on one model, and a verdict for each of its claims."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options

_ASKING = "Asking"


Prompt = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--prompt", metavar="TEXT", rich_help_panel="Prompt", show_default="the article's and 23 more",
        help="a prompt instead; may be repeated, five at least to tell anything",
    ),
]  # fmt: skip
Asked = Annotated[
    int, typer.Option("--asked", min=0, rich_help_panel=_ASKING, help="emitted tokens to ask the model to say")
]
Controls = Annotated[
    int, typer.Option("--controls", min=0, rich_help_panel=_ASKING, help="matched tokens for each of them")
]
Counts = Annotated[
    Path | None,
    typer.Option(
        "--counts", metavar="FILE", rich_help_panel="Model", show_default="NAME.counts.json beside the model",
        help="how often each token occurred in training, where it is known",
    ),
]  # fmt: skip
RunDirectory = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", rich_help_panel="Output",
        show_default="negtemp-runs/reproduce-FINGERPRINT", help="a new folder to write records.jsonl into",
    ),
]  # fmt: skip


@options.sampling("n_predict")
def reproduce(
    *,
    model: options.Model = None,
    prompt: Prompt = None,
    file: options.File = None,
    sampling: options.Sampling,
    seed: options.Seed = 1,
    asked: Asked = 20,
    controls: Controls = 3,
    counts: Counts = None,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    json: options.Json = False,
    output: RunDirectory = None,
) -> None:
    """The article's experiment on one model: what of it holds here, by how much, and against which controls."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments import known_tokens
    from negtemp.experiments import reproduce as experiment
    from negtemp.experiments.elicitation import Elicitor
    from negtemp.experiments.emitted_tokens import PROMPTS
    from negtemp.views import presenters

    n_predict = options.settings(sampling).n_predict
    prompts = options.prompts(prompt, file) if prompt or file else list(PROMPTS)
    drawn_seed = options.seed(seed)
    with session.open_engine(model, n_gpu_layers, threads) as engine:
        path = counts or known_tokens.beside(engine.model.path)
        known = None if path is None else known_tokens.read_counts(path, engine.model.vocabulary.size)
        how = experiment.ReproduceSettings(n_predict, drawn_seed, asked, controls, known)
        header = session.header("reproduce", engine, {
            "prompts": prompts, "n_predict": n_predict, "seed": drawn_seed, "asked": asked, "controls": controls,
            "counts": None if path is None else path.name, "betas": [t.beta for t in experiment.TEMPERATURES],
        })  # fmt: skip
        folder = output or outputs.free_folder(f"reproduce-{header.model.fingerprint[:8]}")
        elicitor = Elicitor(engine)
        outputs.warn(elicitor.left_out)
        with outputs.opened(json, folder) as out:
            out.begin(header)
            total = 2 * len(prompts) * (n_predict + 1) + asked * (1 + controls) + len(experiment.CLAIMS)
            records = outputs.tracked(experiment.reproduce(elicitor, how, prompts), total)
            out.present(header, records, presenters.reproduction)
        outputs.note(f"written to {folder}")
