"""The command as users type it: exit statuses, one line for a failure, JSON Lines, files, Ctrl-C, pipes, full disks."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from models import spm_vocabulary, write_llama
from rich.cells import cell_len

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))

HEADER = {"kind", "schema", "negtemp", "command", "model", "engine", "settings"}
STEP = {
    "kind", "sequence", "position", "token_id", "piece", "bytes", "logprob", "rank", "entropy", "gap",
    "sampled_logprob", "centroid_percentile",
}  # fmt: skip
COMPLETION = {
    "kind", "sequence", "prompt", "prompt_token_ids", "temperature", "beta", "seed", "token_ids", "text", "stop",
    "tokens_per_second", "mean_logprob", "mean_rank", "distinct", "mean_entropy", "longest_repeat", "non_ascii",
    "categories", "median_centroid_percentile",
}  # fmt: skip


def call(
    *arguments: str, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """One call of the program, with nothing on standard input."""
    return subprocess.run(
        [NEGTEMP, *arguments], text=True, timeout=120, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | (environment or {}), **({"stdout": subprocess.PIPE} | options),
    )  # fmt: skip


def strict(line: str) -> dict[str, Any]:
    """One line of JSON, with NaN and Infinity refused."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in {line}")

    record: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return record


def records(*arguments: str) -> list[dict[str, Any]]:
    """What a command prints under --json."""
    done = call(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [strict(line) for line in done.stdout.splitlines()]


def assert_one_line(done: subprocess.CompletedProcess[str], status: int) -> None:
    """A failure is one line that begins with the program's name."""
    assert done.returncode == status
    assert done.stderr.startswith("negtemp: ") and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (1, ["run", "-m", "no such.gguf"]),
        (1, ["run", "-m", "."]),
        (1, ["run", "-f", "no such.txt"]),
        (1, ["run", "-p", "word " * 600]),
        (2, ["run", "--temp", "nan"]),
        (2, ["run", "--beta", "nan"]),
        (2, ["run", "--temp", "cold"]),
        (2, ["run", "--temp", "1", "--beta", "1"]),
        (2, ["run", "-n", "0"]),
        (2, ["run", "--top-p", "7"]),
        (2, ["run", "--mask", "nonsense"]),
        (2, ["run", "--seed", "-7"]),
        (2, ["run", "--no-such-option"]),
        (2, ["rum"]),
        (2, ["compare", "--temps", ""]),
        (2, ["compare", "--temps", "1,warm"]),
        (2, ["compare", "--seeds", "1.5"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else str(value),
)
def test_bad_input_is_one_line_and_a_status(status: int, arguments: list[str]) -> None:
    assert_one_line(call(*arguments), status)


def test_no_command_shows_the_help() -> None:
    assert "compare" in call().stderr + call().stdout


def test_the_version_is_printed() -> None:
    engine = importlib.metadata.version("llama-cpp-python")
    assert "+negtemp" in engine
    assert call("--version").stdout == f"negtemp 0.1.0\nllama-cpp-python {engine}\n"


def test_the_documented_fields_and_no_others() -> None:
    lines = records("run", "-n", "3", "--temp", "-0.001")
    assert [line["kind"] for line in lines] == ["header", "step", "step", "step", "completion"]
    assert lines[0].keys() == HEADER
    assert {"name", "file", "fingerprint"} <= lines[0]["model"].keys()
    assert {"llama_cpp_python", "patches", "patched"} == lines[0]["engine"].keys()
    assert all(line.keys() == STEP for line in lines[1:4])
    assert lines[4].keys() == COMPLETION
    assert lines[4]["token_ids"] == [line["token_id"] for line in lines[1:4]]


@pytest.mark.parametrize(
    ("arguments", "temperature", "beta"),
    [
        (["--temp", "-0.001"], -0.001, -1000.0),
        (["--temp", "-1e-3"], -0.001, -1000.0),
        (["--temp", "0"], 0.0, "inf"),
        (["--beta", "-inf"], -0.0, "-inf"),
        (["--beta", "0"], "inf", 0.0),
        (["--temp", "inf"], "inf", 0.0),
        (["--beta", "-2"], -0.5, -2.0),
    ],
    ids=str,
)
def test_temperature_and_beta_as_typed_and_as_recorded(
    arguments: list[str], temperature: float | str, beta: float | str
) -> None:
    done = records("run", "-n", "1", *arguments)[-1]
    assert (done["temperature"], done["beta"]) == (temperature, beta)


def test_an_impossible_probability_is_null(tmp_path: Path) -> None:
    """Logits thousands of nats apart: at T = -1 the least likely token has a probability that no float64 holds."""
    model = write_llama(tmp_path / "wide.gguf", spm_vocabulary([b"a", b"b"]), scale=1e4)
    steps = [line for line in records("run", "-m", str(model), "-n", "3", "-p", "a") if line["kind"] == "step"]
    assert all(step["logprob"] is None or step["logprob"] < -100 for step in steps)


def test_compare_decodes_both_signs_for_every_prompt_and_seed() -> None:
    lines = records("compare", "-p", "a", "-p", "b", "--seeds", "1,2", "-n", "2")
    done = [line for line in lines if line["kind"] == "completion"]
    found = [(line["prompt"], line["seed"], line["temperature"]) for line in sorted(done, key=lambda r: r["sequence"])]
    assert found == [(prompt, seed, t) for prompt in "ab" for seed in (1, 2) for t in (0.001, -0.001)]


def test_the_output_folder_holds_what_json_prints_and_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    done = call("run", "-n", "2", "--json", "-o", str(folder))
    assert (folder / "records.jsonl").read_text() == done.stdout
    assert_one_line(call("run", "-n", "2", "-o", str(folder)), 1)


def test_doctor_proves_the_build() -> None:
    report = json.loads(call("doctor", "--json").stdout)
    assert report["patched"] is True
    assert "CPU" in report["backends"]
    assert report["patches"] and "+negtemp" in report["llama_cpp_python"]


def shim(folder: Path, code: str, module: str = "llama_cpp") -> dict[str, str]:
    """An environment whose `llama_cpp`, or another module, is something else."""
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(code)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("command", [["run", "-n", "1"], ["compare"], ["doctor"]], ids=" ".join)
def test_a_missing_library_is_status_5_with_the_command_that_fixes_it(tmp_path: Path, command: list[str]) -> None:
    done = call(*command, environment=shim(tmp_path, "raise ImportError('no library')"))
    assert done.returncode == 5
    assert "negtemp build" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("width", "option"), [(60, []), (100, []), (60, ["--tokens"]), (30, [])], ids=str)
def test_compare_fits_the_terminal(width: int, option: list[str]) -> None:
    done = call("compare", "-n", "12", *option, environment={"COLUMNS": str(width)})
    assert max(map(cell_len, done.stdout.splitlines())) <= width


def test_compare_in_a_pipe_is_not_cropped() -> None:
    """Every completion stands whole on one line, however long it is, and no line is padded to the width of another."""
    prompt = "Once upon a time there was a kettle. " * 8
    cells = call("compare", "-p", prompt, "-n", "60").stdout
    assert [line.count(prompt) for line in cells.splitlines() if prompt in line] == [1, 1]
    assert [line for line in cells.splitlines() if line.endswith("  ")] == []


def test_a_pipe_that_closes_ends_quietly() -> None:
    done = subprocess.run(
        f"{NEGTEMP} run -n 200 --ignore-eos --json | head -n 1", shell=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [["run"], ["run", "--json"], ["compare"], ["centroid"], ["centroid", "--json"], ["doctor"], ["--help"]],
    ids=" ".join,
)
def test_a_reader_that_has_gone_is_no_failure(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = call(*command, stdout=writer)
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_result_is_whole_where_nobody_reads_the_remarks() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([NEGTEMP, "run", "-n", "3"], stdout=subprocess.PIPE, stderr=writer, text=True, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, call("run", "-n", "3").stdout)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_is_one_that_nobody_reads(closed: str) -> None:
    done = subprocess.run(f"{NEGTEMP} doctor {closed}", shell=True, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command", [["run", "--json"], ["run"], ["compare"], ["doctor"], ["doctor", "--json"]], ids=" ".join
)
def test_a_full_disk_is_one_line(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = call(*command, *([] if command[0] == "doctor" else ["-n", "3"]), stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("negtemp: cannot write")
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", ["run", "compare"])
def test_ctrl_c_is_130_and_leaves_whole_lines(tmp_path: Path, command: str) -> None:
    model = write_llama(tmp_path / "long.gguf", spm_vocabulary([b"a", b"b"]), context=100_000)
    arguments = [NEGTEMP, command, "-m", str(model), "-n", "90000", "--ignore-eos", "--json", "-p", "a"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        first = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGINT)
        # communicate() would pass over what readline() has read ahead
        rest, complaint = process.stdout.read(), process.stderr.read()
        process.wait(60)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    for line in [*first, *rest.splitlines(keepends=True)]:
        assert line.endswith("\n")
        strict(line)


@pytest.mark.parametrize("module", ["typer", "numpy", "llama_cpp"])
def test_ctrl_c_during_an_import_is_130_without_a_word(tmp_path: Path, module: str) -> None:
    done = call("run", environment=shim(tmp_path, "import signal; signal.raise_signal(signal.SIGINT)", module))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def within_main(code: str) -> subprocess.CompletedProcess[str]:
    """The program with some code in the place of its commands."""
    around = f"""
import atexit, ctypes, signal, time
from negtemp.cli import app, main
interrupt = lambda: signal.raise_signal(signal.SIGINT)
def instead(**_):
    {code}
app.app = instead
main.main()
"""
    return subprocess.run([sys.executable, "-c", around], capture_output=True, text=True, timeout=120)


def test_ctrl_c_in_a_callback_of_c_is_not_lost() -> None:
    """As in llama.cpp's log while it loads a model; Python can only print what is raised there."""
    done = within_main("ctypes.CFUNCTYPE(None)(interrupt)(); time.sleep(60); print('lost')")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_another_exception_in_a_callback_of_c_is_shown() -> None:
    done = within_main("ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()")
    assert done.returncode == 0 and "ZeroDivisionError" in done.stderr


def test_ctrl_c_while_the_interpreter_ends_leaves_the_status() -> None:
    done = within_main("atexit.register(interrupt); return 4")
    assert (done.returncode, done.stderr) == (4, "")
