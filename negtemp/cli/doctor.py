"""`negtemp doctor`: prove the build. Versions, patches, backends, the self-test, and the bundled model's own check."""

import json as jsonlib
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from negtemp.cli import options
from negtemp.cli.messages import say
from negtemp.version import __version__

_NAMES = 18

if TYPE_CHECKING:
    from negtemp.model.library import Library


def doctor(json: options.Json = False) -> None:
    """Prove that this build samples below zero; exit status 5 where it does not."""
    report, status = examine()
    if json:
        from negtemp.records.lines import safe_json

        print(safe_json(jsonlib.dumps(asdict(report), ensure_ascii=False)))
    else:
        show(report)
    if report.problem:
        say(report.problem)
    raise typer.Exit(status)


@dataclass(frozen=True)
class Report:
    """What doctor found; `problem` is None where all is well, `loops` the instructions of our own compiled ones."""

    negtemp: str
    python: str
    platform: str
    llama_cpp_python: str | None
    patched: bool
    patches: list[str]
    build: dict[str, Any]
    backends: list[str]
    devices: list[dict[str, str]]
    bundled_model: str
    problem: str | None
    loops: str = "none"


def examine() -> tuple[Report, int]:
    """The report and its exit status."""
    from negtemp.errors import EngineMissingError, NegtempError
    from negtemp.model import kernel, library

    about = (__version__, platform.python_version(), platform.platform())
    try:
        found = library.load_unproved()
    except EngineMissingError as error:
        return Report(*about, None, False, [], {}, [], [], "not checked", str(error)), error.exit_status
    problem, status = None, 0
    try:
        library.load()
        model = _check_bundled_model(found)
    except NegtempError as error:
        model, problem, status = "failed", str(error), error.exit_status
    devices = [asdict(device) for device in library.devices(found)]
    patched = library.self_test(found) is None
    report = Report(
        *about, found.version, patched, found.patches, found.build, library.backends(found), devices, model, problem,
        loops.level if (loops := kernel.find(found)) else "none",
    )  # fmt: skip
    return report, status


def _check_bundled_model(found: "Library") -> str:
    from negtemp.experiments.generate import check_path
    from negtemp.model import model_file
    from negtemp.model.engine.engine import Engine
    from negtemp.model.llama.model import Model

    with Model(found, model_file.resolve(None)) as model:
        return check_path(Engine(model))


def show(report: Report) -> None:
    """The report in the terminal."""
    from negtemp.views import console

    out = console.stdout()
    rows = [
        ("negtemp", f"{report.negtemp} on Python {report.python}, {report.platform}"),
        ("llama-cpp-python", report.llama_cpp_python or "missing"),
        *zip(["patches"] + [""] * len(report.patches), report.patches or ["none: a stock build"], strict=False),
        ("backends", ", ".join(report.backends) or "none"),
        ("devices", "; ".join(f"{d['name']}: {d['description']}" for d in report.devices) or "none"),
        ("compiler", str(report.build.get("compiler", "unknown"))),
        ("own loops", "none: numpy and llama.cpp's chain, slower" if report.loops == "none" else report.loops),
        ("self-test", "T=-1 inverts the logits and keeps masks" if report.patched else "FAILED"),
        ("bundled model", report.bundled_model),
    ]
    wide = max(len(value) for _, value in rows) + _NAMES <= out.width
    for name, value in rows:
        if wide:
            out.print(f"{name:<{_NAMES}}{value}", soft_wrap=True)
        else:  # one below the other, so that as little as possible of a patch's name goes on in the next line
            out.print(f"{name}\n  {value}" if name else f"  {value}", soft_wrap=True)
    if report.problem is None:
        out.print("all is well: this build samples at any temperature", soft_wrap=True)
