"""`negtemp scan`: where tokens that a model never learned occur in prompts, data sets, logs."""

from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli import options


def scan(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="text, or JSON Lines (.jsonl, .ndjson)")],
    model: options.Model = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            "--audit",
            metavar="FILE",
            rich_help_panel="Audit",
            help="what `audit --json` wrote, instead of an audit now",
        ),
    ] = None,
    strings: Annotated[
        bool,
        typer.Option("--strings", rich_help_panel="Audit", help="count where their text stands; do not tokenize"),
    ] = False,
    threads: options.Threads = None,
    n_gpu_layers: options.GpuLayers = -1,
    all_tokens: Annotated[bool, typer.Option("--all", rich_help_panel="Output", help="every token found")] = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Where under-trained tokens occur in files: how often, in which lines. Reads files of any size."""
    # numpy and the engine come in here, so that --help stays quick
    from negtemp.cli import rendering, scanning, session
    from negtemp.experiments.audit import AuditSettings
    from negtemp.records import JsonValue
    from negtemp.runs import audits

    described: dict[str, JsonValue] = {
        "files": list(map(str, files)), "audit": str(audit) if audit else None, "strings": strings,
    }  # fmt: skip
    with session.sink(json, output) as sink, session.open_engine(model, n_gpu_layers, threads) as engine:
        vocabulary = engine.model.vocabulary
        done = audits.read(audit) if audit else audits.run(engine, AuditSettings(), described, rendering.progress_bar)
        scanning.require_same(done, vocabulary, audit)
        header = session.header("scan", engine, described)
        status = scanning.scan(done, None if strings else vocabulary, files, header, sink, all_tokens, json)
    raise typer.Exit(status)
