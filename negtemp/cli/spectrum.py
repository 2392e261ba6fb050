"""`negtemp spectrum`: one prompt's next-token distribution from beta = -inf through 0 to +inf."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options
from negtemp.errors import UsageError

_ALONG, _OUTPUT = "Along a continuation", "Output"


Betas = Annotated[
    str | None,
    typer.Option(
        "--betas", metavar="LIST", rich_help_panel=options.TEMP_PANEL, show_default="123 from -inf to inf",
        help="inverse temperatures 1/T, and a table of them instead of charts",
    ),
]  # fmt: skip
Along = Annotated[
    int,
    typer.Option("--along", metavar="N", min=0, rich_help_panel=_ALONG, help="go on for N tokens and look after each"),
]
Temp = Annotated[
    float | None,
    typer.Option(
        "--temp", "--temperature", rich_help_panel=_ALONG, show_default="0", help="temperature that draws those tokens"
    ),
]
Beta = Annotated[float | None, typer.Option("--beta", rich_help_panel=_ALONG, help="1/T instead")]
Seed = Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_ALONG, help="-1 draws one and says which")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", rich_help_panel=_OUTPUT, help="draw it as well, into a .png or .svg"),
]
All = Annotated[
    bool, typer.Option("--all", rich_help_panel=_OUTPUT, help="rank every token, not the first five of each side")
]


@options.sampling("ctx_size", "mask", "ignore_eos")
def spectrum(
    *,
    words: options.Words = None,
    model: options.Model = None,
    prompt: options.Prompt = None,
    file: options.File = None,
    prompt_ids: options.PromptIds = None,
    chat: options.Chat = False,
    system: options.System = None,
    betas: Betas = None,
    sampling: options.Sampling,
    along: Along = 0,
    temp: Temp = None,
    beta: Beta = None,
    seed: Seed = 1,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    plot: Plot = None,
    everything: All = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """The next token at every temperature: S, U, C from T=-0 through infinity to T=+0, and the dominant tokens."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import plotting, session
    from negtemp.experiments import spectrum as experiment
    from negtemp.records import number
    from negtemp.theory.temperature import GREEDY, Temperature
    from negtemp.views import presenters

    if along == 0 and (temp is not None or beta is not None):
        raise UsageError("a spectrum covers every temperature; --temp and --beta need --along N")
    grid = options.temperatures(None, betas, [Temperature.of_beta(value) for value in experiment.BETAS])
    at = options.temperature(temp, beta, GREEDY)
    settings = options.settings({**sampling, "n_predict": max(along, 1)})
    ids = options.token_ids(prompt_ids)
    texts, drawn_seed = options.prompts(prompt, file, bool(prompt_ids), words), options.seed(seed)
    plotting.check(plot)
    with session.open_engine(model, n_gpu_layers, threads) as engine, outputs.opened(json, output) as out:
        prompts = session.prompts(engine, texts, ids, chat, system)
        described = session.header_settings(engine, settings, prompts, grid, [drawn_seed], width=1)
        walk = {"along": along, "along_temperature": number(at.temperature), "along_beta": number(at.beta)}
        header = session.header("spectrum", engine, described | walk)
        out.begin(header)
        rulers = engine.model.vocabulary.size if everything else experiment.RULERS
        records = experiment.spectrum(
            engine, prompts, settings, betas=[point.beta for point in grid], rulers=rulers, along=along,
            temperature=at, seed=drawn_seed,
        )  # fmt: skip
        total = len(prompts) * (along + 1) * (len(grid) + 1)
        kept = list(out.tee(outputs.tracked(records, total)))
        out.draw(header, kept, presenters.spectrum)
        plotting.write(plot, list(presenters.places(kept)))
