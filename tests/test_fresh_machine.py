"""The fresh machine is what the README promises, and CI knows when the suite must be run there again."""

import re
import subprocess
from pathlib import Path

import pytest
from build_parts import ROOT

SCRIPT = ROOT / "scripts" / "fresh_machine.sh"


def run(*arguments: str, script: Path = SCRIPT) -> "subprocess.CompletedProcess[str]":
    """One call of the script."""
    return subprocess.run([script, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_it_installs_what_the_readme_names_and_no_more() -> None:
    installed = re.search(r"^packages=\((.*)\)$", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    assert installed
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"apt-get install {re.escape(installed[1])} +# Debian", readme, re.MULTILINE)


@pytest.mark.parametrize("arguments", [(), ("debian-3",), ("--folder",), ("--no-such-option", "debian-13")])
def test_wrong_usage_is_told_before_anything_is_made(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_suite_is_asked_for_when_the_build_has_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@localhost", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    script = tmp_path / "scripts" / "fresh_machine.sh"
    script.parent.mkdir()
    script.write_bytes(SCRIPT.read_bytes())
    script.chmod(0o755)
    pyproject = tmp_path / "pyproject.toml"
    needs = '[build-system]\nrequires = []\n[project]\ndependencies = ["{}"]\n[tool.ruff]\nline-length = {}\n'
    pyproject.write_text(needs.format("one", 100))
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    assert run("debian-13", "--needs-test", script=script).returncode == 0
    digest = run("debian-13", "--digest", script=script).stdout.strip()
    (tmp_path / "scripts" / "fresh_machine.tested").write_text(f"debian-13 {digest}  Python 3.13.5, 9 passed\n")
    assert run("debian-13", "--needs-test", script=script).returncode == 1
    assert run("debian-12", "--needs-test", script=script).returncode == 0
    pyproject.write_text(needs.format("one", 120))
    git("commit", "-q", "-a", "-m", "a linter's rule")
    assert run("debian-13", "--needs-test", script=script).returncode == 1
    pyproject.write_text(needs.format("two", 120))
    git("commit", "-q", "-a", "-m", "two")
    assert run("debian-13", "--needs-test", script=script).returncode == 0
