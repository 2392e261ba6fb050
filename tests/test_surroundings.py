"""What a shell, cron or a container hands down changes no command's data."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from negtemp.cli.surroundings import drop_impossible_sizes

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
RUN = ["run", "-n", "3", "-p", "café at 5 °C", "--temp", "-0.001", "-t", "1", "--json"]
PROXY = "http://127.0.0.1:9"
SURROUNDINGS: dict[str, Mapping[str, str | None]] = {
    "COLUMNS=0": {"COLUMNS": "0", "LINES": "0"},
    "COLUMNS=abc": {"COLUMNS": "abc", "LINES": ""},
    "COLUMNS=-5": {"COLUMNS": "-5", "LINES": "-5"},
    "COLUMNS huge": {"COLUMNS": "9" * 5000, "LINES": "9" * 30},
    "a terminal that can do nothing": {"TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1"},
    "the C locale": {"LC_ALL": "C", "LANG": "C"},
    "ASCII, and no UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "streams in Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "streams in UTF-16": {"PYTHONIOENCODING": "utf-16"},
    "warnings are errors": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
    "no assertions, no docstrings": {"PYTHONOPTIMIZE": "2", "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "5"},
    "no home": {"HOME": None, "XDG_CACHE_HOME": None},
    "an empty home": {"HOME": "", "XDG_CACHE_HOME": ""},
    "a home that cannot be written": {"HOME": "/proc", "XDG_CACHE_HOME": None},
    "a cache folder by a relative name": {"XDG_CACHE_HOME": "cache"},
    "proxies": dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), PROXY),
    "another time zone": {"TZ": "Pacific/Kiritimati"},
}  # fmt: skip


def environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def data(arguments: list[str], folder: Path, changes: Mapping[str, str | None], **options: Any) -> list[Any]:
    """The records on standard output, less what a clock says."""
    done = subprocess.run(
        [NEGTEMP, *arguments], cwd=folder, env=environment(changes), capture_output=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr.decode()
    return records(done.stdout)


def records(output: bytes) -> list[Any]:
    found = [json.loads(line) for line in output.decode("utf-8").splitlines()]
    for record in found:
        record.pop("tokens_per_second", None)
        record.pop("seconds", None)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return data(RUN, tmp_path_factory.mktemp("plain"), {})


@pytest.mark.parametrize("changes", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_no_variable_changes_the_data(
    undisturbed: list[Any], tmp_path: Path, changes: Mapping[str, str | None]
) -> None:
    assert data(RUN, tmp_path, changes) == undisturbed
    assert list(tmp_path.iterdir()) == []  # and nothing is left behind


EVERYTHING = {name: value for changes in SURROUNDINGS.values() for name, value in changes.items()}


@pytest.mark.parametrize(
    "arguments",
    [["compare", "-n", "2", "-t", "1"], ["spectrum", "-t", "1"], ["centroid", "-t", "1"], ["doctor"]],
    ids=lambda arguments: arguments[0],
)
def test_all_of_them_at_once_change_no_commands_data(tmp_path: Path, arguments: list[str]) -> None:
    command = [*arguments, "--json"]
    assert data(command, tmp_path, EVERYTHING) == data(command, tmp_path, {"COLUMNS": "80"})


@pytest.mark.parametrize("columns", ["0", "-1", "wide", "1", str(10**9)])
def test_a_width_that_is_none_changes_no_text_either(tmp_path: Path, columns: str) -> None:
    def text(changes: Mapping[str, str | None]) -> str:
        command = [NEGTEMP, "run", "--help"]
        return subprocess.run(command, env=environment(changes), capture_output=True, text=True, check=True).stdout

    assert "--temp" in text({"COLUMNS": columns})
    assert text({"COLUMNS": columns}) == text({"COLUMNS": None})


def test_only_sizes_of_a_screen_are_kept() -> None:
    given = {"COLUMNS": "100", "LINES": "0", "OTHER": "0"}
    drop_impossible_sizes(given)
    assert given == {"COLUMNS": "100", "OTHER": "0"}


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_descriptor_gets_nothing_that_belongs_elsewhere(
    undisturbed: list[Any], tmp_path: Path, closed: str
) -> None:
    command = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", NEGTEMP, *RUN, "-o", "run"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert records(done.stdout) == undisturbed
    assert records((tmp_path / "run" / "records.jsonl").read_bytes()) == undisturbed


def test_with_standard_output_closed_the_file_holds_the_records_all_the_same(
    undisturbed: list[Any], tmp_path: Path
) -> None:
    command = [NEGTEMP, *RUN, "-o", "run"]
    subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], cwd=tmp_path, capture_output=True, check=False)
    assert records((tmp_path / "run" / "records.jsonl").read_bytes()) == undisturbed


def test_a_prompt_from_a_closed_standard_input_is_refused_in_one_line(tmp_path: Path) -> None:
    command = [NEGTEMP, "run", "-f", "-"]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "negtemp: the prompt file is to come from standard input, which is closed\n"


def test_no_core_is_left_and_few_files_are_enough(undisturbed: list[Any], tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    assert data(RUN, tmp_path, {}, preexec_fn=limit, umask=0o777) == undisturbed
