"""Prints how large the code is and how far one walks in it: lines, files, functions, codecs, `Any`, --help.

    python scripts/house_figures.py [--package DIR] [--no-help]

A function's length is its lines less its docstring and decorators. A walk is the list of files that one opens for a
task, each with a name that must stand in it; a walk whose name has moved fails, so that the list stays true. Whether a
list is complete cannot be computed: it was made by doing the task.
"""

import argparse
import ast
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_FIELD_CODECS = {"to_dict", "from_dict"}


class Walk(NamedTuple):
    """A task, the files that it takes, each with a name to find there, and how many it may take."""

    task: str
    goal: int
    steps: tuple[tuple[str, str], ...]


WALKS = (
    Walk("what happens to --temp -0.001, from the command line to the C sampler", 7, (
        ("cli/run.py", "temp:"), ("cli/options.py", "def temperature("), ("theory/temperature.py", "class Temperature"),
        ("experiments/generate.py", "def generate("), ("model/engine/engine.py", "class Scheduler"),
        ("model/engine/sampler.py", "llama_sampler_init_temp"), ("model/kernel.py", "negtemp_draw"),
        ("native/kernel.cpp", "draw_weighed"), ("native/level.h", "weigh"),
    )),
    Walk("when a token is suspect", 5, (
        ("experiments/audit.py", "def suspect_count"), ("theory/level.py", "suspect"),
        ("theory/ranking.py", "THRESHOLD"), ("records/audit.py", "def suspect"),
    )),
    Walk("what ends a sweep on Ctrl-C", 4, (
        ("cli/sweep_runner.py", "def graceful_stop"),
        ("runs/execution.py", "def unfinished"), ("runs/store.py", "class Store"), ("runs/workers.py", "stop"),
        ("runs/worker.py", "stop"),
    )),
    Walk("how a hostile token is made safe", 3, (
        ("records/lines.py", "class TokenBytes"), ("printable.py", "def printable"), ("views/console.py", "def safe"),
    )),
    Walk("add a command that draws any saved run", 4, (
        ("cli/show.py", "def show"), ("runs/reading.py", "def "), ("views/presenters.py", "PRESENTERS"),
        ("cli/app.py", "show"),
    )),
    Walk("add a sampling option", 3, (
        ("experiments/settings.py", "class Settings"), ("model/engine/request.py", "class Filters"),
        ("model/engine/sampler.py", "def _filters"),
    )),
)  # fmt: skip


def main() -> None:
    """Print every figure; the exit status is 1 where a walk names what is not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--package", type=Path, default=ROOT / "negtemp", help="default: %(default)s")
    parser.add_argument("--no-help", action="store_true", help="do not time `negtemp --help`")
    arguments = parser.parse_args()
    sources = sorted(arguments.package.rglob("*.py"))
    for line in (*sizes(sources), *functions(sources), *habits(arguments.package, sources)):
        print(line)
    if not arguments.no_help:
        print(f"negtemp --help          {help_seconds():8.2f} CPU s    (bar 0.2)")
    lost = [line for walk in WALKS for line in lost_steps(arguments.package, walk)]
    for walk in WALKS:
        print(f"walk {len(walk.steps):3} of {walk.goal}  {walk.task}")
    print(*lost, sep="\n", end="\n" if lost else "")
    sys.exit(bool(lost))


def sizes(sources: list[Path]) -> Iterator[str]:
    """Lines and files."""
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in sources]
    yield f"lines                   {sum(lines):8,}        (bar 11,500 for what negtemp did at 0.1.0)"
    yield f"files                   {len(lines):8,}        (bar 95)"
    yield f"file median / max       {statistics.median(lines):8.0f} / {max(lines)}"


def functions(sources: list[Path]) -> Iterator[str]:
    """How long functions are."""
    found = sorted(
        (length(node), f"{path.name}:{node.name}")
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lengths = [one for one, _ in found]
    p90 = lengths[int(0.9 * (len(lengths) - 1))]
    yield f"function median / p90   {statistics.median(lengths):8.0f} / {p90}   (bars 9 and 20)"
    yield f"longest functions       {', '.join(f'{name} {n}' for n, name in found[:-4:-1])}   (bar 60)"


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from `def` to its end, less the docstring."""
    assert node.end_lineno is not None
    docstring = node.body[0] if ast.get_docstring(node) else None
    less = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return node.end_lineno - node.lineno + 1 - less


def habits(package: Path, sources: list[Path]) -> Iterator[str]:
    """Hand-written codecs, `Any` in the public face, branches on --json."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources}
    codecs = [
        f"{path.relative_to(package)}:{node.name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in _FIELD_CODECS
    ]
    face = [node for path in ("api.py", "__init__.py") for node in signatures(trees[package / path])]
    untyped = sum("Any" in ast.unparse(annotation) for node in face for annotation in annotations(node))
    branches = sum(len(re.findall(r"\bif (?:not )?json\b", p.read_text(encoding="utf-8"))) for p in sources)
    yield f"to_dict and from_dict   {len(codecs):8}        {', '.join(codecs)}"
    yield f"Any in the public face  {untyped:8}"
    yield f"branches on json        {branches:8}"


def signatures(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Public functions and methods of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def annotations(node: ast.FunctionDef) -> Iterator[ast.expr]:
    """Every annotation of a signature."""
    spec = node.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    yield from (one.annotation for one in every if one is not None and one.annotation is not None)
    if node.returns is not None:
        yield node.returns


def help_seconds() -> float:
    """Processor seconds of the quickest of five calls, which other work on the machine changes little."""
    command = [str(Path(sys.executable).with_name("negtemp")), "--help"]
    times = []
    for _ in range(5):
        before = os.times()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        times.append(sum(after[2:4]) - sum(before[2:4]))
    return min(times)


def lost_steps(package: Path, walk: Walk) -> Iterator[str]:
    """Names of a walk that are not where it says."""
    for name, wanted in walk.steps:
        path = package / name
        if not path.is_file() or wanted not in path.read_text(encoding="utf-8"):
            yield f"not there: {wanted!r} in {name} ({walk.task})"


if __name__ == "__main__":
    main()
