"""`negtemp sweep` and `negtemp show` as users type them: stopped, resumed, refused, planned, dry, piped."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from models import spm_vocabulary, write_llama
from test_cli import NEGTEMP, assert_one_line, call, strict

import negtemp
from negtemp.experiments.sweep import TEMPERATURES
from negtemp.records import Completion, Header
from negtemp.runs.lines import NAME, finished_units

# minutes long, so that a signal always finds it at work; one unit takes a tenth of a second
LONG_UNITS = 2_000
LONG = ["-n", "800", "--ignore-eos", "--betas=-1,1", "--repeats", "1000", "-p", "aa", "-np", "2", "--threads", "1"]


def started(model: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A sweep that has saved its first unit, whole."""
    command = [NEGTEMP, "sweep", "-m", str(model), "-o", str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any(finished_units(folder / NAME)):
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_stopped_once_it_is_130_with_the_command_that_resumes(random_path: Path, tmp_path: Path, number: int) -> None:
    with started(random_path, tmp_path / "run", *LONG) as process:
        process.send_signal(number)
        shown, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert shown == "" and "Traceback" not in complaint
    *_, message, command = complaint.splitlines()
    saved = len(negtemp.load_run(tmp_path / "run")[1:])
    assert 0 < saved < LONG_UNITS and f"{saved:,} of 2,000 units are saved" in message
    assert command.split() == ["negtemp", "sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), *LONG]


def test_stopped_twice_it_ends_at_once(random_path: Path, tmp_path: Path) -> None:
    """While the main thread is stopped where no Python runs: in a prompt of tens of thousands of tokens."""
    model = write_llama(tmp_path / "wide.gguf", spm_vocabulary([b"a", b"b"]), context=100_000, width=128, layers=8)
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("aa ab " * 8_000)
    arguments = ["-p", "aa", "-f", str(prompt), "-n", "1", "-np", "1", "--betas=1"]
    with started(model, tmp_path / "run", *arguments) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert len(negtemp.load_run(tmp_path / "run")) == 2


def test_a_second_process_on_the_same_folder_is_refused(random_path: Path, tmp_path: Path) -> None:
    with started(random_path, tmp_path / "run", *LONG) as first:
        second = call("sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), *LONG)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
    assert_one_line(second, 1)
    assert f"process {first.pid}" in second.stderr


SHORT = ["--betas=-2,0,2", "-p", "aa", "-n", "3", "--seeds", "1,2"]


def test_the_same_command_resumes_and_a_changed_one_is_refused(random_path: Path, tmp_path: Path) -> None:
    where = ["-m", str(random_path), "-o", str(tmp_path / "run")]
    first = call("sweep", *where, *SHORT)
    assert first.returncode == 0, first.stderr
    lines = (tmp_path / "run" / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / "records.jsonl").write_bytes(b"".join(lines[:4])[:-9])
    again = call("sweep", *where, *SHORT)
    assert "3 of them finished" in again.stderr
    assert again.stdout == first.stdout
    refused = call("sweep", *where, *SHORT[:-1], "1,3")
    assert_one_line(refused, 2)
    assert "seeds: 1 gone (2), 1 new (3)" in refused.stderr


def test_without_a_folder_the_same_command_finds_its_own_again(random_path: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [NEGTEMP, "sweep", "-m", str(random_path), *SHORT], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    (folder,) = (tmp_path / "negtemp-runs").iterdir()
    assert "6 of them finished" in done.stderr
    assert len(negtemp.load_run(folder)) == 7


def test_json_streams_the_records_that_the_folder_holds(random_path: Path, tmp_path: Path) -> None:
    done = call("sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), *SHORT, "--steps", "--json")
    kinds = [strict(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds == ["header", *(["step"] * 3 + ["completion"]) * 6]
    assert done.stdout.splitlines()[1:] == (tmp_path / "run" / "records.jsonl").read_text().splitlines()


def test_units_that_cannot_be_are_records_and_status_4(random_path: Path, tmp_path: Path) -> None:
    done = call(
        "sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), *SHORT, "-p", "ab " * 60, "-c", "50", "--json"
    )
    assert done.returncode == 4
    kinds = [strict(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds.count("error") == kinds.count("completion") == 6
    assert "6 units could not be generated" in done.stderr and "--ctx-size" in done.stderr


def test_a_dry_run_writes_nothing(random_path: Path, tmp_path: Path) -> None:
    done = call("sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), *SHORT, "--dry-run", "--json")
    head, found = map(strict, done.stdout.splitlines())
    assert (head["kind"], found["kind"], found["units"], found["finished"]) == ("header", "forecast", 6, 0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--seeds", "1.5"], ["--seeds=-1"], ["--seeds", "5-1"], ["--seeds", "0-9999999999"],
     ["--betas", "x"], ["--temps", "1", "--betas", "1"], ["--repeats", "0"],
     ["--plan", "no such.toml"]],
    ids=" ".join,
)  # fmt: skip
def test_bad_options_are_one_line_and_status_2(arguments: list[str]) -> None:
    assert_one_line(call("sweep", *arguments), 2)


PLAN = """
model = "{model}"
prompts = ["aa", "ab"]
files = ["long.txt"]
betas = [-inf, -1.5, 0, inf]
seeds = [3, 4]
output = "run"

[sampling]
n_predict = 2
mask = ["byte"]
"""


def test_a_plan_is_the_options_it_holds_and_options_win(random_path: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("ba bb\n")
    (tmp_path / "plan.toml").write_text(PLAN.format(model=random_path))
    done = call("sweep", "--plan", str(tmp_path / "plan.toml"), "--seeds", "5", "-n", "3", "--json")
    assert done.returncode == 0, done.stderr
    settings = strict(done.stdout.splitlines()[0])["settings"]
    assert settings["prompts"] == ["aa", "ab", "ba bb"]
    assert settings["betas"] == ["-inf", -1.5, 0.0, "inf"]
    assert (settings["seeds"], settings["n_predict"], settings["mask"]) == ([5], 3, ["byte"])
    assert len(negtemp.load_run(tmp_path / "run")) == 1 + 12


@pytest.mark.parametrize(
    "text",
    ["nonsense = 1", "betas = 1", "betas = [true]", "seeds = [1.5]", 'prompts = "aa"', "sampling = 1",
     "[sampling]\nn_predict = '4'", "[sampling]\nseeds = [1]", "steps = 1", "= 1", '"\\u001b[31m" = 1'],
)  # fmt: skip
def test_a_plan_that_cannot_be_meant_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.toml").write_text(text)
    done = call("sweep", "--plan", str(tmp_path / "plan.toml"))
    assert_one_line(done, 2)
    assert "plan.toml" in done.stderr and "\x1b" not in done.stderr


@pytest.fixture(scope="module")
def run(random_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the 21 betas of the default grid."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = call("sweep", "-m", str(random_path), "-o", str(folder), "-p", "aa", "-p", "ab", "-n", "3")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("width", [60, 100])
def test_the_table_fits_the_terminal_and_has_every_beta(run: Path, width: int) -> None:
    shown = call("show", str(run), environment={"COLUMNS": str(width)}).stdout.splitlines()
    assert max(map(len, shown)) <= width
    assert all(any(line.split()[:1] == [f"{at.beta:+.4g}"] for line in shown) for at in TEMPERATURES if at.beta)


def test_the_table_needs_no_library(run: Path, tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise ImportError('none')")
    done = call("show", str(run), environment={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "+1000" in done.stdout


def test_show_json_is_a_header_and_a_summary_for_each_beta(run: Path) -> None:
    head, *summaries = [strict(line) for line in call("show", str(run), "--json").stdout.splitlines()]
    assert head["kind"] == "header"
    assert [one["beta"] for one in summaries] == [at.beta for at in TEMPERATURES]
    assert {one["units"] for one in summaries} == {2}
    assert isinstance(negtemp.load_run(run)[0], Header)


def test_show_refuses_what_is_no_run(tmp_path: Path) -> None:
    assert_one_line(call("show", str(tmp_path)), 1)


def test_a_full_disk_ends_a_sweep_in_one_line_and_it_resumes(random_path: Path, tmp_path: Path) -> None:
    command = ["sweep", "-m", str(random_path), "-o", str(tmp_path / "run"), "-p", "aa", "-n", "3", "--repeats", "4"]
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 16; exec "$0" "$@"', NEGTEMP, *command],
        capture_output=True, text=True, check=False, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert limited.returncode == 1
    assert limited.stderr.splitlines()[-1].startswith("negtemp: cannot write to")
    saved = len(negtemp.load_run(tmp_path / "run")) - 1
    assert f"{saved} of 84 units are saved" in limited.stderr and 0 < saved < 84
    done = call(*command)
    assert done.returncode == 0 and f"{saved} of them finished" in done.stderr
    units = [record.unit for record in negtemp.load_run(tmp_path / "run") if isinstance(record, Completion)]
    assert len(units) == len(set(units)) == 84


def test_a_reader_that_leaves_ends_it_quietly_and_what_is_saved_stays(random_path: Path, tmp_path: Path) -> None:
    line = f"{NEGTEMP} sweep -m {random_path} -o {tmp_path / 'run'} -p aa -n 3 --repeats 200 --json | head -n 2"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("\n") == 2
    assert len(done.stderr.splitlines()) == 1 and "4,200 units" in done.stderr
    # more than any pipe takes before its reader has left
    assert 1 < len(negtemp.load_run(tmp_path / "run")) < 4201
