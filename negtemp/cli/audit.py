"""`negtemp audit`: find the tokens a model never learned, ask for them, write them down; compare two models."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from negtemp.cli import options
from negtemp.cli import workers as on

if TYPE_CHECKING:
    from negtemp.cli.output import Output
    from negtemp.experiments.audit import AuditSettings

_AUDIT, _FILES = "Audit", "Files"

Candidates = Annotated[
    str | None,
    typer.Option(
        "--candidates", metavar="N|N%", rich_help_panel=_AUDIT, show_default="by score",
        help="how many to ask for, such as 500 or 2%",
    ),
]  # fmt: skip
Exhaustive = Annotated[
    bool, typer.Option("--exhaustive", rich_help_panel=_AUDIT, help="ask for every token of the vocabulary")
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", rich_help_panel=_AUDIT, help="rank only; ask the model for nothing")
]
Blind = Annotated[
    bool,
    typer.Option(
        "--blind", rich_help_panel=_AUDIT, help="take no token for unused by its name or type; find the level alone"
    ),
]
Diff = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--diff", metavar="A B", rich_help_panel=_AUDIT, help="two models, or audits saved with --all: what changed"
    ),
]
Truth = Annotated[
    Path | None, typer.Option("--truth", metavar="FILE", rich_help_panel=_AUDIT, help="known counts, to score by")
]
Seed = Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_AUDIT, help="of the contexts drawn")]
Ban = Annotated[
    Path | None, typer.Option("--ban", metavar="FILE", rich_help_panel=_FILES, help="write a logit_bias, JSON")
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", rich_help_panel=_FILES, help="write a Markdown report")
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", rich_help_panel=_FILES, help="write the list as CSV")
]
All = Annotated[bool, typer.Option("--all", rich_help_panel="Output", help="every token of the vocabulary")]


@on.executed("workers", "devices", "executor", "num_cpus", "num_gpus", "shard")
def audit(
    *,
    model: options.Model = None,
    candidates: Candidates = None,
    exhaustive: Exhaustive = False,
    no_verify: NoVerify = False,
    blind: Blind = False,
    unused: options.Unused = None,
    diff: Diff = None,
    truth: Truth = None,
    seed: Seed = 1,
    ban: Ban = None,
    report: Report = None,
    csv: Csv = None,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    how: on.Execution,
    all_tokens: All = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """The tokens that a model never learned: ranked, verified by asking for them, explained."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import audit_output, session
    from negtemp.cli import output as outputs
    from negtemp.experiments import known_tokens as known
    from negtemp.experiments.audit import AuditSettings
    from negtemp.runs import audits

    settings = AuditSettings(
        options.candidates(candidates), exhaustive, not no_verify, options.seed(seed), blind, unused or ()
    )
    described = {
        "candidates": candidates, "exhaustive": exhaustive, "verify": not no_verify, "seed": settings.seed,
        "blind": blind, "unused": unused or [], "all": all_tokens,
    }  # fmt: skip
    open_engine = partial(session.open_engine, gpu_layers=n_gpu_layers, threads=threads)
    if diff is not None:
        others = {"--truth": truth, "--ban": ban, "--report": report, "--csv": csv}
        split = ["--workers, --devices, --executor and --shard"] if how.on_workers or not how.is_whole else []
        options.require_exclusive("--diff", [name for name, value in others.items() if value is not None] + split)
        with outputs.opened(json, output) as out:
            _difference(diff, open_engine, settings, described, out, all_tokens)
        return
    outputs.require_writable(ban, report, csv)
    if not how.is_whole:
        _part(model, how, open_engine, exhaustive and not no_verify)
        return
    with outputs.opened(json, output) as out:
        with open_engine(model) as engine:
            ask = audit_output.asking(engine, how, settings)
            counts = known.read_counts(truth, engine.model.vocabulary.size) if truth else None
            done = audits.run(engine, settings, described, outputs.progress_bar, ask)
        if counts is not None:
            done = audits.with_truth(done, known.against(done.tokens, counts))
        audit_output.write(done, out, all_tokens, drawn=output is None)
        audit_output.files(done, ban, report, csv, all_tokens)


def _part(model: str | None, how: on.Execution, open_engine: Any, every_token: bool) -> None:
    """Ask for a shard of the vocabulary, and say what comes next. Raises UsageError, PromptError."""
    from negtemp.cli import audit_output
    from negtemp.errors import UsageError

    if not every_token:
        raise UsageError("--shard parts an audit that asks for every token; give --exhaustive with it")
    with open_engine(model) as engine:
        audit_output.ask_for_shard(engine, how)


def _difference(
    paths: tuple[str, str], open_engine: Any, settings: "AuditSettings", described: Mapping[str, Any], out: "Output",
    every: bool,
) -> None:  # fmt: skip
    """Records of what changed from one model to the other, and the table. Raises UsageError and ModelError."""
    from negtemp.cli.output import progress_bar
    from negtemp.experiments.difference import difference
    from negtemp.runs import audits
    from negtemp.views import presenters

    first, second = (audits.load_or_run(path, open_engine, settings, described, progress_bar) for path in paths)
    header = replace(second.header, command="audit --diff", settings={**described, "diff": list(paths)})
    records = list(difference(first.tokens, second.tokens, (first.header.model.file, second.header.model.file)))
    out.begin(header)
    out.present(header, records, presenters.difference, every)
