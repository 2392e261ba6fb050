"""What the build takes from the machine and its shell: compilers, ccache, variables that other builds left."""

import fcntl
import os
from pathlib import Path

import pytest
from build_parts import run_parts


def program(folder: Path, name: str, text: str) -> None:
    """An executable shell script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_what_a_shell_exports_for_other_builds_does_not_reach_this_one(tmp_path: Path) -> None:
    dropped = {
        "CMAKE_GENERATOR": "Unix Makefiles",
        "CMAKE_BUILD_TYPE": "Debug",
        "SKBUILD_CMAKE_ARGS": "-DX=1",
        "DESTDIR": "/d",
        "NINJA_STATUS": "%p ",
    }
    kept = {"CMAKE_PREFIX_PATH": "/p", "CXXFLAGS": "-g"}
    done = run_parts(tmp_path, "without_build_variables; env", {**dropped, **kept})
    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert names.isdisjoint(dropped)
    assert set(kept) <= names


@pytest.mark.parametrize(
    ("does", "used"), [('exec "$@"', "ON"), ("echo 'ccache: no folder /nowhere' >&2; exit 1", "OFF")]
)
def test_a_ccache_is_used_if_it_works(tmp_path: Path, does: str, used: str) -> None:
    program(tmp_path / "bin", "ccache", does)
    done = run_parts(tmp_path, 'find_compiler; echo "$cache_flag"', {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    assert done.stdout == f"-DGGML_CCACHE={used}\n"
    assert ("no folder /nowhere" in done.stderr) == (used == "OFF")


def test_a_ccache_off_path_is_not_used(tmp_path: Path) -> None:
    """CMake looks in /usr/bin, /opt and its own folder too, and ninja's shell does not."""
    bare = 'command() { case $2 in *ccache) return 1 ;; *) builtin command "$@" ;; esac; }'
    done = run_parts(tmp_path, f'{bare}; find_compiler; echo "$cache_flag"')
    assert done.stdout == "-DGGML_CCACHE=OFF\n"


def test_a_compiler_that_does_not_work_is_told_with_its_own_words(tmp_path: Path) -> None:
    program(tmp_path / "bin", "broken++", "echo 'broken++: error: no libc' >&2; exit 1")
    done = run_parts(tmp_path, "find_compiler", {"CXX": f"{tmp_path}/bin/broken++"})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "broken++: error: no libc" in done.stderr


@pytest.mark.parametrize(
    ("call", "said"), [("find_compiler", "no C++ compiler on PATH"), ("need_git", "git is missing")]
)
def test_what_is_missing_is_told_with_how_to_install_it(tmp_path: Path, call: str, said: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cat", "cut", "uname", "rm", "mkdir", "env", "tail"):
        (tools / name).symlink_to(Path("/bin") / name if (Path("/bin") / name).exists() else Path("/usr/bin") / name)
    done = run_parts(tmp_path, f"PATH={tools} CXX= CC=; {call}")
    assert done.returncode == 1
    assert said in done.stderr
    assert "install" in done.stderr.partition(said)[2]
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("version", "usable"), [("21.2.4", False), ("22.3", True), ("26.0.1", True), ("24.1b1", True)])
def test_a_pip_older_than_the_build_needs_is_not_used(tmp_path: Path, version: str, usable: bool) -> None:
    (tmp_path / "pip.py").write_text(f"__version__ = {version!r}\n")
    done = run_parts(tmp_path, 'if new_enough_pip "$python"; then echo usable; fi', {"PYTHONPATH": str(tmp_path)})
    assert (done.stdout == "usable\n") == usable


def test_a_folder_that_another_run_works_in_is_left_and_one_of_a_killed_run_removed(tmp_path: Path) -> None:
    """Though the other is in a container, where its number is no process here."""
    used, left = (tmp_path / "build" / f"work.999999999.{name}" for name in ("used", "left"))
    for folder in (used, left):
        folder.mkdir(parents=True)
        (folder / "alive").touch()
    with (used / "alive").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_parts(tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert used.exists() and not left.exists()
