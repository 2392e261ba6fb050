"""`negtemp audit`: find the tokens a model never learned, verify them, write them down; compare two models."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options

_AUDIT, _FILES = "Audit", "Files"


def audit(
    model: options.Model = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            "--candidates",
            metavar="N|N%",
            rich_help_panel=_AUDIT,
            show_default="by score",
            help="how many to ask for, such as 500 or 2%",
        ),
    ] = None,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", rich_help_panel=_AUDIT, help="ask for every token of the vocabulary")
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", rich_help_panel=_AUDIT, help="rank only; ask the model for nothing")
    ] = False,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", rich_help_panel=_AUDIT, help="take no token for unused by its name or type; find the level alone"
        ),
    ] = False,
    unused: options.Unused = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--diff", metavar="A B", rich_help_panel=_AUDIT, help="two models, or audits saved with --all: what changed"
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", rich_help_panel=_AUDIT, help="known counts, to score by")
    ] = None,
    seed: Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_AUDIT, help="of the contexts drawn")] = 1,
    ban: Annotated[
        Path | None, typer.Option("--ban", metavar="FILE", rich_help_panel=_FILES, help="write a logit_bias, JSON")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", rich_help_panel=_FILES, help="write a Markdown report")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", rich_help_panel=_FILES, help="write the list as CSV")
    ] = None,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    all_tokens: Annotated[
        bool, typer.Option("--all", rich_help_panel="Output", help="every token of the vocabulary")
    ] = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """The tokens that a model never learned: ranked, verified by asking for them, explained."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import audit_output, rendering, session
    from negtemp.cli import output as outputs
    from negtemp.experiments import training_counts as known
    from negtemp.experiments.audit import AuditSettings
    from negtemp.runs import audits

    if diff is not None:
        others = {"--truth": truth, "--ban": ban, "--report": report, "--csv": csv}
        options.require_exclusive("--diff", [name for name, value in others.items() if value is not None])
    settings = AuditSettings(
        options.candidates(candidates), exhaustive, not no_verify, options.seed(seed), blind, unused or ()
    )
    described = {
        "candidates": candidates, "exhaustive": exhaustive, "verify": not no_verify, "seed": settings.seed,
        "blind": blind, "unused": unused or [], "all": all_tokens,
    }  # fmt: skip
    audit_output.require_writable(ban, report, csv)
    with outputs.opened(json, output) as out:
        if diff is not None:
            opened = partial(session.open_engine, gpu_layers=n_gpu_layers, threads=threads)
            first, second = (
                audits.load_or_run(path, opened, settings, described, rendering.progress_bar) for path in diff
            )
            header = replace(second.header, command="audit --diff", settings={**described, "diff": list(diff)})
            audit_output.difference(first, second, header, out, all_tokens)
            return
        with session.open_engine(model, n_gpu_layers, threads) as engine:
            counts = known.read_counts(truth, engine.model.vocabulary.size) if truth else None
            done = audits.run(engine, settings, described, rendering.progress_bar)
        if counts is not None:
            done = audits.with_truth(done, known.against(done.tokens, counts))
        audit_output.write(done, out, all_tokens, drawn=output is None)
        audit_output.files(done, ban, report, csv, all_tokens)
