"""The house's floors: imports point downwards only, llama_cpp enters by one door, and nothing below the CLI prints."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import negtemp

PACKAGE = Path(negtemp.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# the version, which everybody may import, has a place of its own: so nobody imports the package's face
EVERYBODYS = "version"

# what each part may import besides itself and the parts that those may import
ALLOWED: dict[str, set[str]] = {
    EVERYBODYS: set(),
    "errors": set(),
    "printable": set(),
    "text_input": {"errors", "printable"},
    "keywords": {"errors"},
    "progress": set(),
    "theory": {"errors"},
    "records": {"errors", "printable", "theory"},
    "texts": {"errors", "printable"},
    "model": {"errors", "printable", "progress", "text_input", "theory", "records"},
    "views": {"errors", "printable", "theory", "records"},
    "experiments": {"errors", "printable", "progress", "text_input", "theory", "texts", "records", "model"},
    "runs": {"errors", "printable", "progress", "text_input", "theory", "records", "model", "experiments"},
    "api": {"errors", "keywords", "printable", "theory", "records", "model", "experiments", "runs"},
    "server": {"errors", "printable", "model"},
    "web": {"errors", "printable", "theory", "records", "model", "experiments", "server"},
    "cli": {
        "errors", "printable", "text_input", "theory", "texts", "records", "model", "views", "experiments", "runs",
        "api", "server", "web",
    },
}  # fmt: skip

# the same inside `model`, from the library up to the engine
MODEL: dict[str, set[str]] = {
    "former_names": set(),
    "references": set(),
    "model_file": {"references"},
    "threads": set(),
    "processor": set(),
    "library": {"processor"},
    "cache": set(),
    "kernel": {"library"},
    "rpc": {"library"},
    "fingerprint": {"cache", "model_file"},
    "tokens": {"cache", "threads"},
    "weights": {"former_names", "library", "model_file", "threads"},
    "llama": {"library", "model_file", "references", "rpc", "threads", "tokens", "weights", "fingerprint"},
    "engine": {"former_names", "library", "model_file", "threads", "tokens", "weights", "llama", "cache", "kernel"},
}


def part(path: Path) -> str:
    """The floor a file stands on: the first name below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path: Path, root: Path) -> str:
    """The name under which a file below `root` is imported."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


BENCHMARKS = PACKAGE.parent / "benchmarks"
MODULES = {dotted(path, PACKAGE.parent) for path in SOURCES} | {
    dotted(path, BENCHMARKS) for path in BENCHMARKS.rglob("*.py")
}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in a file, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name if name in MODULES else node.module for name in names]
            yield from ((module, node.lineno) for module in modules)


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if part(p) != "__init__"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_downwards(path: Path) -> None:
    floor = part(path)
    for module, line in imports(path):
        assert module != "negtemp", f"line {line}: {floor} imports the package's face"
        if module.startswith("negtemp."):
            target = module.split(".")[1]
            assert target in {floor, EVERYBODYS} | ALLOWED[floor], f"line {line}: {floor} imports {target}"


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if part(p) == "model" and p != PACKAGE / "model" / "__init__.py"],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)  # fmt: skip
def test_imports_inside_model_point_downwards(path: Path) -> None:
    floor = path.relative_to(PACKAGE / "model").parts[0].removesuffix(".py")
    for module, line in imports(path):
        if module.startswith("negtemp.model."):
            target = module.split(".")[2]
            assert target == floor or target in MODEL[floor], f"line {line}: {floor} imports {target}"


def circle(sources: list[Path], root: Path) -> list[str]:
    """Modules that import each other, imports inside functions among them; none where all point one way."""
    names = {dotted(path, root): path for path in sources}
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, path in names.items():
        graph.add(name, *(module for module, _ in imports(path) if module in names and module != name))
    try:
        graph.prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(SOURCES, PACKAGE.parent) == []


def test_no_benchmark_imports_itself_by_way_of_others() -> None:
    assert circle(sorted(BENCHMARKS.rglob("*.py")), BENCHMARKS) == []


def test_llama_cpp_enters_by_one_door() -> None:
    importers = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        for module, _ in imports(path)
        if module.split(".")[0] == "llama_cpp"
    }
    assert importers == {"model/library.py"}


def test_nothing_below_the_cli_prints() -> None:
    printers = {
        part(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printers <= {"cli"}


def test_every_module_says_what_it_is() -> None:
    assert [str(p) for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))] == []


def test_help_loads_neither_the_library_nor_anything_heavy() -> None:
    code = (
        "import sys; from negtemp.cli.main import run; run(['run', '--help']); "
        "heavy = {'llama_cpp', 'numpy', 'gguf', 'torch', 'negtemp.records'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
