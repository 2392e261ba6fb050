"""`negtemp compare`: the same prompt at several temperatures, side by side."""

from typing import Annotated

import typer

from negtemp.cli import options

Temps = Annotated[
    str | None,
    typer.Option(
        "--temps", metavar="LIST", rich_help_panel=options.TEMP_PANEL, show_default="0.001,-0.001",
        help="temperatures, a column each",
    ),
]  # fmt: skip
Betas = Annotated[
    str | None,
    typer.Option(
        "--betas", metavar="LIST", rich_help_panel=options.TEMP_PANEL, help="inverse temperatures 1/T instead"
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds", metavar="LIST", rich_help_panel=options.TEMP_PANEL, help="several seeds, such as 1-3; a row each"
    ),
]
Tokens = Annotated[
    bool, typer.Option("--tokens", rich_help_panel="Output", help="token by token instead of side by side")
]


@options.sampling()
def compare(
    *,
    words: options.Words = None,
    model: options.Model = None,
    prompt: options.Prompt = None,
    file: options.File = None,
    prompt_ids: options.PromptIds = None,
    chat: options.Chat = False,
    system: options.System = None,
    temps: Temps = None,
    betas: Betas = None,
    seed: options.Seed = 1,
    seeds: Seeds = None,
    sampling: options.Sampling,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    tokens: Tokens = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """The same prompt at +0.001 and -0.001, or at any list, side by side, decoded in the same batch."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments import generate as experiment
    from negtemp.views import presenters

    at = options.temperatures(temps, betas, experiment.TEMPERATURES)
    settings = options.settings(sampling)
    ids = options.token_ids(prompt_ids)
    texts, drawn_seeds = options.prompts(prompt, file, bool(prompt_ids), words), options.seeds(seeds, seed)
    with session.open_engine(model, n_gpu_layers, threads) as engine, outputs.opened(json, output) as out:
        prompts = session.prompts(engine, texts, ids, chat, system)
        rows = len(prompts) * len(drawn_seeds)
        width = experiment.width(len(at), rows)
        header = session.header(
            "compare", engine, session.header_settings(engine, settings, prompts, at, drawn_seeds, width)
        )
        out.begin(header)
        generated = experiment.compare(engine, prompts, at, drawn_seeds, settings)
        most = settings.tokens(engine.model.context(settings.ctx_size))
        records = outputs.tracked(generated, rows * len(at) * (most + 1))
        by_token = presenters.token_by_token(engine.model.vocabulary.category)
        out.present(header, records, by_token if tokens else presenters.comparison)
