"""`negtemp doctor`: prove the build. Versions, patches, backends, the self-test, and the bundled model's own check."""

import json as jsonlib
from dataclasses import asdict

import typer

from negtemp.cli import options


def doctor(json: options.Json = False) -> None:
    """Prove that this build samples below zero; exit status 5 where it does not."""
    from negtemp.cli.examination import examine, show

    report, status = examine()
    if json:
        print(jsonlib.dumps(asdict(report), ensure_ascii=False))
    else:
        show(report)
    if report.problem:
        typer.echo(f"negtemp: {report.problem}", err=True)
    raise typer.Exit(status)
