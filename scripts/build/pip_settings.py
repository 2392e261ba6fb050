"""Print what pip is told, by its files and PIP_* variables, about where packages come from and how they are reached.

The build keeps these and drops the rest: a `target`, `user`, `no-binary` or `require-hashes` meant for other work would
put packages elsewhere or compile CMake from source. Output: NAME=VALUE for the environment, each ended by a NUL.
Source: pip's user guide, "Configuration": a variable wins over a section for one command, which wins over [global].
"""

import ast
import os
import subprocess
import sys

KEPT = (
    "cache-dir", "cert", "client-cert", "constraint", "default-timeout", "disable-pip-version-check", "extra-index-url",
    "find-links", "index-url", "keyring-provider", "no-cache-dir", "no-index", "proxy", "timeout", "trusted-host",
    "use-deprecated", "use-feature",
)  # fmt: skip
SECTIONS = ("global", "download", "wheel", "install", ":env:")


def settings(listing: str) -> dict[str, str]:
    """What is kept of `pip config list`, whose lines are SECTION.KEY='VALUE', by the name of its variable."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in SECTIONS and key in KEPT:
            rank = SECTIONS.index(section)
            variable = "PIP_" + key.upper().replace("-", "_")
            if variable not in found or found[variable][0] <= rank:
                found[variable] = (rank, str(ast.literal_eval(value)))
    return {variable: value for variable, (_, value) in found.items()}


def main() -> None:
    """Ask pip of this Python."""
    # PIP_USER and PIP_QUIET would change what `config` itself does; so would `quiet` in a file, which -v outweighs
    kept = {"PIP_CONFIG_FILE", *("PIP_" + key.upper().replace("-", "_") for key in KEPT)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") or name in kept}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list", "-vvv"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stdout)
    for variable, value in settings(done.stdout).items():
        sys.stdout.write(f"{variable}={value}\0")


if __name__ == "__main__":
    main()
