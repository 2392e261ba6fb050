"""Making .venv, and repairing one that was left half made, from Pythons with and without what that takes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from build_parts import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The scripts alone, in a folder whose name has a space."""
    folder = tmp_path / "my clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def create(clone: Path, *python: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`environment.sh create`, with no tool in reach that makes environments but Python's own."""
    for tool in ("uv", "virtualenv"):
        if shutil.which(tool, path="/usr/bin:/bin"):
            pytest.skip(f"{tool} is installed here")
    surroundings = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), **environment}
    command = [str(clone / "scripts" / "environment.sh"), "create", *(python or (sys.executable,))]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=surroundings)


def runs_pip(clone: Path) -> bool:
    """Whether .venv is whole."""
    command = [str(clone / ".venv" / "bin" / "python"), "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True).returncode == 0


def without_ensurepip(folder: Path) -> dict[str, str]:
    """A Python as Debian's python3 is without python3-venv."""
    (folder / "parted").mkdir()
    (folder / "parted" / "ensurepip.py").write_text("raise ImportError('parted')\n")
    return {"PYTHONPATH": str(folder / "parted")}


def test_an_environment_is_made_and_then_left_alone(clone: Path) -> None:
    assert create(clone).returncode == 0
    assert runs_pip(clone)
    before = (clone / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    again = create(clone)
    assert (again.returncode, again.stderr) == (0, "")
    assert (clone / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == before


def test_a_python_without_venv_is_told_in_one_line_and_leaves_nothing(clone: Path, tmp_path: Path) -> None:
    done = create(clone, **without_ensurepip(tmp_path))
    assert done.returncode == 1
    assert "it has no venv module: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (clone / ".venv").exists()


def test_an_environment_without_pip_gets_it(clone: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    done = create(clone)
    assert done.returncode == 0, done.stderr
    assert "adding pip to .venv" in done.stderr
    assert runs_pip(clone)


def test_an_environment_whose_python_is_gone_is_made_anew(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.9")
    done = create(clone)
    assert done.returncode == 0, done.stderr
    assert runs_pip(clone)


@pytest.mark.parametrize("named", ["/nowhere/python3", "/bin/true"])
def test_a_python_that_cannot_be_used_is_named(clone: Path, named: str) -> None:
    done = create(clone, named)
    assert done.returncode == 1
    assert named in done.stderr
    assert "make PYTHON=" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_told_in_one_line(clone: Path) -> None:
    (clone / "build").write_text("in the way")
    done = create(clone)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(clone / "build") in done.stderr
