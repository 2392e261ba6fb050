"""Runs the parts of the build script on packages of the tests' own, in folders of their own."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("process", "progress", "pip", "distribution", "source", "toolchain", "wheel", "tools")


def run_parts(
    folder: Path, script: str, environment: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """One bash script after the parts of the build, with `settings` as their variables and build/ in `folder`.

    What this machine tells pip is not passed on.
    """
    variables = {"repo": str(ROOT), "build": f"{folder}/build", "python": sys.executable, **(settings or {})}
    lines = [f". {shlex.quote(str(ROOT))}/scripts/upstream.env"]
    lines += [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f". {shlex.quote(str(ROOT))}/scripts/build/{part}.sh" for part in PARTS]
    text = "\n".join(["set -euo pipefail", *lines, 'mkdir -p "$build"', "make_work_folder", script])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = ["bash", "-c", text]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**inherited, **(environment or {})}
    )
