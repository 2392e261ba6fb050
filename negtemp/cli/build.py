"""`negtemp build`: compile the patched llama.cpp into the environment that runs this command.

It runs the one implementation, scripts/build_llama.sh with patches/: of the clone, where negtemp is installed from one;
else the copy that the wheel carries in negtemp/builder, which then works in the cache folder. It leaves out what that
script does.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from negtemp.cli.messages import say
from negtemp.errors import EngineError, EngineMissingError, UsageError

_PACKAGE = Path(__file__).parents[1]
_SCRIPT = Path("scripts", "build_llama.sh")
# what tools that make an environment for one program alone leave in it
_RECEIPTS = ("uv-receipt.toml", "pipx_metadata.json")


def build(
    backend: Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, metal, vulkan or hip")] = "cpu",
    python: Annotated[Path | None, typer.Option(metavar="PATH", help="another environment to install into")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="compile N files at a time")] = None,
    tools: Annotated[bool, typer.Option("--tools", help="also llama-server, which negtemp serve runs")] = False,
    rpc: Annotated[bool, typer.Option("--rpc", help="with RPC, for layers on other machines")] = False,
    portable: Annotated[bool, typer.Option("--portable", help="for any processor of this kind")] = False,
    wheel: Annotated[Path | None, typer.Option(metavar="DIR", help="also keep the wheel there")] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="where to fetch and compile (default: the cache, or the clone)")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="compile again though nothing changed")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="replace another llama-cpp-python")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="show what pip, CMake and the compiler write")
    ] = False,
) -> None:
    """Compile the patched llama.cpp into this environment; cut off, it goes on where it was."""
    if python is None and not replace:
        _spare_another_build()
    switches = {"--tools": tools, "--rpc": rpc, "--portable": portable, "--rebuild": rebuild, "--verbose": verbose}
    values = {"--backend": backend, "--python": python or sys.executable, "--jobs": jobs, "--wheel": wheel}
    arguments = [f"{name}={value}" for name, value in values.items() if value is not None]
    arguments += [name for name, wanted in switches.items() if wanted]
    _run(arguments, folder)


def _spare_another_build() -> None:
    """Raise UsageError where a llama-cpp-python that is not ours may serve other programs of this environment."""
    version = installed_engine()
    if version is None or "+negtemp" in version or any(Path(sys.prefix, name).exists() for name in _RECEIPTS):
        return
    raise UsageError(
        f"llama-cpp-python {version} in {sys.prefix} is not of this build, and other programs may use it; "
        "ours does what it does at T >= 0: --replace puts it in its place, --python PATH takes another environment"
    )


def installed_engine() -> str | None:
    """The version of llama-cpp-python in this environment, which is not imported; None where it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(arguments: list[str], folder: Path | None) -> None:
    """Become the script, so that its progress, signals and exit status are this command's."""
    root = source_root()
    bash = shutil.which("bash")
    if bash is None:
        raise EngineError("bash, which the build runs in, is not on PATH: install it with this system's packages")
    home = folder.absolute() if folder else _home(root)
    say(f"building in {home}")
    environment = {**os.environ, "NEGTEMP_BUILD_FOLDER": str(home), "NEGTEMP_BUILD_COMMAND": "negtemp build"}
    sys.stdout.flush()
    os.execve(bash, [bash, str(root / _SCRIPT), *arguments], environment)


def source_root() -> Path:
    """The folder that holds scripts/ and patches/. Raises EngineMissingError where an installation has neither."""
    for root in (_PACKAGE / "builder", _PACKAGE.parent):
        if (root / _SCRIPT).is_file() and (root / "patches").is_dir():
            return root
    raise EngineMissingError(f"this installation carries no build: neither {_PACKAGE / 'builder'} nor a clone is there")


def _home(root: Path) -> Path:
    """Where build/ and vendor/ go: the clone itself, or the cache folder for an installed package."""
    import platformdirs

    return root if root == _PACKAGE.parent else Path(platformdirs.user_cache_dir("negtemp"), "engine")
