"""`negtemp run`: generate at one temperature, streaming."""

from typing import Annotated

import typer

from negtemp.cli import options
from negtemp.theory.temperature import Temperature

DEFAULT = Temperature.of(-0.001)


@options.sampling()
def run(
    *,
    words: options.Words = None,
    model: options.Model = None,
    prompt: options.Prompt = None,
    file: options.File = None,
    prompt_ids: options.PromptIds = None,
    chat: options.Chat = False,
    system: options.System = None,
    temp: Annotated[
        float | None,
        typer.Option(
            "--temp",
            "--temperature",
            rich_help_panel=options.TEMP_PANEL,
            show_default="-0.001",
            help="temperature of either sign; 0 is greedy, inf uniform",
        ),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            "--beta", rich_help_panel=options.TEMP_PANEL, help="1/T instead; inf is greedy, 0 uniform, -inf antigreedy"
        ),
    ] = None,
    seed: options.Seed = 1,
    sampling: options.Sampling,
    interactive: Annotated[
        bool,
        typer.Option(
            "-i", "--interactive", rich_help_panel=options.PROMPT_PANEL, help="line by line, /temp between lines"
        ),
    ] = False,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Generate at one temperature: the text as it comes, each token coloured by how unlikely it was."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import interactive as conversation
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments.generate import generate

    at = options.temperature(temp, beta, DEFAULT)
    settings = options.settings(sampling)
    ids = options.token_ids(prompt_ids)
    texts, drawn_seed = options.prompts(prompt, file, bool(prompt_ids) or interactive, words), options.seed(seed)
    if interactive:
        options.require_exclusive("--interactive", ["--json"] if json else ["--prompt-ids"] if ids else [])
    with session.open_engine(model, n_gpu_layers, threads) as engine, outputs.opened(json, output) as out:
        if interactive:
            conversation.hold(engine, out, texts, conversation.State(at, drawn_seed, settings), chat, system)
            return
        prompts = session.prompts(engine, texts, ids, chat, system)
        described = session.header_settings(engine, settings, prompts, [at], [drawn_seed], width=1)
        header = session.header("run", engine, described)
        out.begin(header)
        records = generate(engine, prompts, at, drawn_seed, settings)
        out.stream(header, records, prompts, outputs.temperature_and_seed(at, drawn_seed))
