"""`negtemp repeat`: ask the model to say given tokens, against matched controls."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options, token_selection
from negtemp.cli import workers as on

_ASKING = "Asking"

Limit = Annotated[
    int, typer.Option("--limit", min=1, rich_help_panel="Tokens", help="ask for the first so many of --from")
]
Shapes = Annotated[
    str | None,
    typer.Option(
        "--shapes", metavar="LIST", rich_help_panel=_ASKING, show_default="all that fit",
        help="prompts to ask with: echo, definition, repetition, instruction",
    ),
]  # fmt: skip
Controls = Annotated[
    int, typer.Option("--controls", min=0, rich_help_panel=_ASKING, help="matched tokens for each candidate")
]
Counts = Annotated[
    Path | None,
    typer.Option(
        "--counts", metavar="FILE", rich_help_panel=_ASKING,
        help="how often each token occurred in training, to match controls by",
    ),
]  # fmt: skip
Samples = Annotated[
    int, typer.Option("--samples", min=0, rich_help_panel=_ASKING, help="answers to draw at T=1 as well")
]
Seed = Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_ASKING, help="-1 draws one and says which")]
All = Annotated[bool, typer.Option("--all", rich_help_panel="Output", help="show the controls as well")]


@on.executed("workers", "devices", "executor", "num_cpus", "num_gpus")
def repeat(
    *,
    model: options.Model = None,
    tokens: token_selection.Tokens = None,
    tokens_raw: token_selection.TokensRaw = None,
    ids: token_selection.Ids = None,
    run: token_selection.From = None,
    limit: Limit = 20,
    shapes: Shapes = None,
    controls: Controls = 3,
    counts: Counts = None,
    samples: Samples = 4,
    seed: Seed = 1,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    how: on.Execution,
    everything: All = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Ask the model to say tokens, by default those that it emits below zero, against tokens that resemble them."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import output as outputs
    from negtemp.cli import session
    from negtemp.experiments import elicitation_prompts, emitted_tokens, known_tokens
    from negtemp.experiments import repeat as experiment
    from negtemp.experiments.elicitation import Elicitor
    from negtemp.runs import asking
    from negtemp.runs.reading import read_emitted
    from negtemp.views import presenters

    drawn_seed, emitted = options.seed(seed), None if run is None else read_emitted(run)
    names = None if shapes is None else [part.strip() for part in shapes.split(",") if part.strip()]
    with session.open_engine(model, n_gpu_layers, threads) as engine, outputs.opened(json, output) as out:
        vocabulary = engine.model.vocabulary
        named = token_selection.token_ids(vocabulary, tokens, ids, tokens_raw)
        known = None if counts is None else known_tokens.read_counts(counts, vocabulary.size)
        elicitor = Elicitor(engine, None if names is None else elicitation_prompts.chosen(engine.model, names))
        if emitted is not None:
            named += emitted_tokens.candidates(vocabulary, token_selection.below_zero(emitted.completions), limit)
        elif not named:
            named = emitted_tokens.candidates(vocabulary, emitted_tokens.below_zero(engine, drawn_seed), limit)
        header = session.header("repeat", engine, {
            "shapes": list(elicitor.prompts), "controls": controls, "samples": samples, "seed": drawn_seed,
            "counts": None if counts is None else str(counts), "token_ids": named,
        })  # fmt: skip
        outputs.warn([*elicitor.left_out, *token_selection.remarks(vocabulary, tokens)])
        outputs.warn(token_selection.warnings(emitted.header if emitted else None, header))
        out.begin(header)
        settings = experiment.RepeatSettings(controls, samples, drawn_seed, known)
        asked = experiment.repeat(elicitor, named, settings, asking.on(engine, how))
        trials = outputs.tracked(asked, len(named) * (1 + controls) + 1)
        out.present(header, trials, presenters.repetition, everything)
