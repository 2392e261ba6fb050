"""Sweeps that are killed, stopped, resumed, refused and read: every unit exactly once, and the same as undisturbed."""

import gc
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from models import spm_vocabulary, write_llama
from test_cli import NEGTEMP, assert_one_line, call, strict

import negtemp
from negtemp.errors import UsageError
from negtemp.experiments.settings import Settings
from negtemp.experiments.sweep import BETAS, TEMPERATURES, Plan, Unit, forecast, shape, sweep
from negtemp.model.engine import Engine, Shape
from negtemp.model.library import Library
from negtemp.model.loaded import Model
from negtemp.records import Completion, Failure, Header, Step
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, Temperature

WORDS = [b" " + bytes([97 + i, 97 + j]) for i in range(6) for j in range(6)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model."""
    return write_llama(tmp_path_factory.mktemp("models") / "random.gguf", spm_vocabulary(WORDS), context=100_000)


@pytest.fixture(scope="module")
def engine(compiled: Library, path: Path) -> Iterator[Engine]:
    """An engine on it."""
    with Model(compiled, path) as model:
        yield Engine(model)


def plan(**changes: Any) -> Plan:
    """Two prompts, five temperatures, two seeds, two repeats: 40 units of four tokens."""
    at = tuple(map(Temperature.of_beta, (-1000.0, -1.0, 0.0, 1.0, 1000.0)))
    values = {"prompts": ("aa ab", "aa ba"), "temperatures": at, "seeds": (1, 2), "repeats": 2}
    return Plan(**{**values, "settings": Settings(n_predict=4, ctx_size=64), **changes})


def keys(records: list[Any]) -> list[str]:
    """The keys of finished units, in order."""
    return [str(record.unit) for record in records if isinstance(record, Completion | Failure)]


def by_key(records: list[Any]) -> dict[str, tuple[int, ...]]:
    """Token ids of each unit."""
    return {str(r.unit): r.token_ids for r in records if isinstance(r, Completion)}


def test_the_default_grid_is_geometric_and_symmetric_about_0() -> None:
    betas = [at.beta for at in TEMPERATURES]
    assert betas == sorted(betas) and len(betas) == 21 and betas[10] == 0
    assert [-beta for beta in reversed(betas)] == betas
    ratios = [high / low for low, high in itertools.pairwise(betas[11:])]
    assert ratios == pytest.approx([10**0.5] * 9, rel=0.01)
    assert max(BETAS) == 1000


def test_a_units_seed_hangs_on_prompt_seed_and_repeat_alone() -> None:
    """So that all temperatures share their random numbers."""
    seeds: dict[tuple[str, int, int], set[int]] = {}
    for unit in plan().units():
        seeds.setdefault((unit.prompt, unit.run_seed, unit.repeat), set()).add(unit.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == len(seeds) == 8


def test_a_units_key_hangs_on_its_content_and_not_on_its_place() -> None:
    settings = Settings()
    unit = Unit(0, "p", GREEDY, 1, 0)
    assert unit.key(settings) == Unit(9, "p", GREEDY, 1, 0).key(settings)
    others = [
        Unit(0, "q", GREEDY, 1, 0), Unit(0, "p", ANTIGREEDY, 1, 0), Unit(0, "p", GREEDY, 2, 0),
        Unit(0, "p", GREEDY, 1, 1),
    ]  # fmt: skip
    found = {other.key(settings) for other in others} | {unit.key(Settings(n_predict=7))}
    assert len(found | {unit.key(settings)}) == 6


def test_every_unit_comes_once_with_its_own_seed(engine: Engine) -> None:
    asked = plan()
    done = [r for r in sweep(engine, asked, shape(engine, asked, 6)) if isinstance(r, Completion)]
    assert sorted(keys(done)) == sorted(unit.key(asked.settings) for unit in asked.units())
    units = list(asked.units())
    for record in done:
        unit = units[record.sequence]
        assert (record.prompt, record.temperature, record.seed) == (unit.prompt, unit.temperature, unit.seed)
        assert (record.run_seed, record.repeat) == (unit.run_seed, unit.repeat)


def test_a_value_given_twice_counts_once() -> None:
    assert len(plan(prompts=("a", "b", "a"), seeds=(1, 1))) == len(plan(prompts=("a", "b"), seeds=(1,)))


@pytest.mark.parametrize("nothing", [{"prompts": ()}, {"temperatures": ()}, {"seeds": ()}, {"repeats": 0}], ids=str)
def test_a_sweep_over_nothing_is_refused(nothing: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        plan(**nothing)


def test_finished_units_do_not_run_again(engine: Engine) -> None:
    asked = plan()
    everything = {unit.key(asked.settings) for unit in asked.units()}
    finished = set(random.Random(0).sample(sorted(everything), 25))
    assert set(keys(list(sweep(engine, asked, Shape(4, 256), finished)))) == everything - finished


def test_steps_come_together_before_their_completion(engine: Engine) -> None:
    asked = plan(steps=True)
    steps: list[Step] = []
    for record in sweep(engine, asked, Shape(5, 256)):
        if isinstance(record, Step):
            steps.append(record)
        elif isinstance(record, Completion):
            assert {step.sequence for step in steps} == {record.sequence}
            assert tuple(step.token_id for step in steps) == record.token_ids
            steps.clear()


def test_deterministic_results_do_not_depend_on_order_to_the_last_bit(engine: Engine) -> None:
    first, second = plan(deterministic=True), plan(deterministic=True, prompts=("aa ba", "aa ab"), seeds=(2, 1))
    found = [
        {
            r.unit: (r.token_ids, r.mean_logprob, r.mean_entropy)
            for r in sweep(engine, p, shape(engine, p))
            if isinstance(r, Completion)
        }
        for p in (first, second)
    ]
    assert found[0] == found[1]


def test_a_prompt_that_cannot_fit_or_be_read_is_an_error_and_the_others_go_on(engine: Engine) -> None:
    asked = plan(prompts=("aa", "ab " * 64, "\udcff", "ba"))
    records = list(sweep(engine, asked, shape(engine, asked, 4)))
    reasons = {r.prompt: r.reason for r in records if isinstance(r, Failure)}
    assert {r.prompt for r in records if isinstance(r, Completion)} == {"aa", "ba"}
    assert "--ctx-size" in reasons["ab " * 64] and "UTF-8" in reasons["\udcff"]
    assert len(set(keys(records))) == len(records) == len(asked)


def test_memory_does_not_grow_with_units(engine: Engine) -> None:
    """Of a million units the first 300 and the first 600 take the same memory."""
    asked = plan(repeats=50_000)
    stream = sweep(engine, asked, Shape(4, 256))
    tracemalloc.start()
    taken = []
    for _ in range(2):
        deque(itertools.islice(stream, 300), maxlen=0)
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    stream.close()  # type: ignore[attr-defined]
    assert len(asked) == 1_000_000
    assert taken[0] < 400_000 and taken[1] - taken[0] < 8_000


def test_a_forecast_counts_what_is_left(engine: Engine) -> None:
    asked = plan()
    found = forecast(engine, asked, shape(engine, asked, 4), finished=30)
    assert (found.units, found.finished, found.sequences, found.tokens) == (40, 30, 4, 40)
    assert found.memory > engine.model.path.stat().st_size and found.seconds > 0


# A child that sweeps into a folder, killed when the file has grown by a random number of bytes: a moment that is random
# in the work and not in the clock. It is forked from a process that holds the model, for the sake of time.
HARNESS = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_sweep import killable
from negtemp.experiments.sweep import shape
from negtemp.model import library
from negtemp.model.engine import Engine, Shape
from negtemp.model.loaded import Model
from negtemp.runs.sweeping import open_store, resume

path, folder, rng = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(7)
model = Model(library.load(), path)
engine, plan, records = Engine(model), killable(), folder / "records.jsonl"
size = lambda: records.stat().st_size if records.exists() else 0
killed = 0
while killed < 30:
    child = os.fork()
    if not child:
        with open_store(folder, engine, plan, Shape(4, 256)) as store:
            for _ in resume(engine, plan, Shape(4, 256), store):
                pass
        os._exit(0)
    enough = size() + rng.randrange(0, 8000)
    while size() < enough and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.0005)
    else:
        os.kill(child, signal.SIGKILL)
        killed += os.waitpid(child, 0)[1] == signal.SIGKILL
print(killed)
"""


def killable() -> Plan:
    """Enough units for 30 kills."""
    return plan(repeats=100)


def test_killed_at_30_random_moments_and_resumed_every_unit_is_there_once(
    engine: Engine, path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, str(path), str(folder), str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "30", done.stderr
    asked = killable()
    from negtemp.runs.sweeping import open_store, resume

    with open_store(folder, engine, asked, Shape(4, 256)) as store:
        assert 0 < store.saved < len(asked)
        for _ in resume(engine, asked, Shape(4, 256), store):
            pass
    records = negtemp.load_run(folder)
    assert sorted(keys(records)) == sorted(unit.key(asked.settings) for unit in asked.units())
    sessions = json.loads((folder / "manifest.json").read_text())["sessions"]
    assert len(sessions) > 20


LONG = ["-n", "800", "--ignore-eos", "--betas=-1,1", "--seeds", "1,2,3,4", "-p", "aa", "-np", "2", "--threads", "1"]


def started(model: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A sweep that has written its first unit."""
    command = [NEGTEMP, "sweep", "-m", str(model), "-o", str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    records = folder / "records.jsonl"
    deadline = time.monotonic() + 60
    while not (records.exists() and records.stat().st_size) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_stopped_once_it_is_130_with_the_command_that_resumes(path: Path, tmp_path: Path, number: int) -> None:
    with started(path, tmp_path / "run", *LONG) as process:
        process.send_signal(number)
        shown, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert shown == "" and "Traceback" not in complaint
    *_, message, command = complaint.splitlines()
    left = 8 - len(negtemp.load_run(tmp_path / "run")[1:])
    assert 0 < left < 8 and f"{8 - left} of 8 units are saved" in message
    assert command.split() == ["negtemp", "sweep", "-m", str(path), "-o", str(tmp_path / "run"), *LONG]


def test_stopped_twice_it_ends_at_once(path: Path, tmp_path: Path) -> None:
    """While the main thread is stopped where no Python runs: in a prompt of tens of thousands of tokens."""
    model = write_llama(tmp_path / "wide.gguf", spm_vocabulary(WORDS), context=100_000, width=128, layers=8)
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("aa ab " * 8_000)
    process = subprocess.Popen(
        [NEGTEMP, "sweep", "-m", str(model), "-o", str(tmp_path / "run"), "-p", "aa", "-f", str(prompt), "-n", "1",
         "-np", "1", "--betas=1"],
        stderr=subprocess.PIPE, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        records = tmp_path / "run" / "records.jsonl"
        while not (records.exists() and records.stat().st_size) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 130, complaint
    assert len(negtemp.load_run(tmp_path / "run")) == 2


def test_a_second_process_on_the_same_folder_is_refused(path: Path, tmp_path: Path) -> None:
    with started(path, tmp_path / "run", *LONG) as first:
        second = call("sweep", "-m", str(path), "-o", str(tmp_path / "run"), *LONG)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
    assert_one_line(second, 1)
    assert f"process {first.pid}" in second.stderr


SHORT = ["--betas=-2,0,2", "-p", "aa", "-n", "3", "--seeds", "1,2"]


def test_the_same_command_resumes_and_a_changed_one_is_refused(path: Path, tmp_path: Path) -> None:
    where = ["-m", str(path), "-o", str(tmp_path / "run")]
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


def test_without_a_folder_the_same_command_finds_its_own_again(path: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [NEGTEMP, "sweep", "-m", str(path), *SHORT], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    (folder,) = (tmp_path / "negtemp-runs").iterdir()
    assert "6 of them finished" in done.stderr
    assert len(negtemp.load_run(folder)) == 7


def test_json_streams_the_records_that_the_folder_holds(path: Path, tmp_path: Path) -> None:
    done = call("sweep", "-m", str(path), "-o", str(tmp_path / "run"), *SHORT, "--steps", "--json")
    kinds = [strict(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds == ["header", *(["step"] * 3 + ["completion"]) * 6]
    assert done.stdout.splitlines()[1:] == (tmp_path / "run" / "records.jsonl").read_text().splitlines()


def test_units_that_cannot_be_are_records_and_status_4(path: Path, tmp_path: Path) -> None:
    done = call("sweep", "-m", str(path), "-o", str(tmp_path / "run"), *SHORT, "-p", "ab " * 60, "-c", "50", "--json")
    assert done.returncode == 4
    kinds = [strict(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds.count("error") == kinds.count("completion") == 6
    assert "6 units could not be generated" in done.stderr and "--ctx-size" in done.stderr


def test_a_dry_run_writes_nothing(path: Path, tmp_path: Path) -> None:
    done = call("sweep", "-m", str(path), "-o", str(tmp_path / "run"), *SHORT, "--dry-run", "--json")
    head, found = map(strict, done.stdout.splitlines())
    assert (head["kind"], found["kind"], found["units"], found["finished"]) == ("header", "forecast", 6, 0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--seeds", "1.5"], ["--seeds=-1"], ["--betas", "x"], ["--temps", "1", "--betas", "1"], ["--repeats", "0"],
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


def test_a_plan_is_the_options_it_holds_and_options_win(path: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("ba bb\n")
    (tmp_path / "plan.toml").write_text(PLAN.format(model=path))
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
def run(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the 21 betas of the default grid."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = call("sweep", "-m", str(path), "-o", str(folder), "-p", "aa", "-p", "ab", "-n", "3")
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


def test_a_full_disk_ends_a_sweep_in_one_line_and_it_resumes(path: Path, tmp_path: Path) -> None:
    command = ["sweep", "-m", str(path), "-o", str(tmp_path / "run"), "-p", "aa", "-n", "3", "--repeats", "4"]
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
    assert len(set(keys(negtemp.load_run(tmp_path / "run")))) == 84


def test_python_sweeps_into_a_folder_and_gets_all_of_it_again(path: Path, tmp_path: Path) -> None:
    with negtemp.load(path) as model:
        ask = {"betas": [-1, 1], "seeds": (1, 2), "n_predict": 2, "output": tmp_path / "run"}
        first = list(model.sweep("aa", "ab", **ask))  # type: ignore[arg-type]
        again = list(model.sweep("aa", "ab", **ask))  # type: ignore[arg-type]
        loose = list(model.sweep("aa", "ab", betas=[-1, 1], seeds=(1, 2), n_predict=2))
    assert first == again == negtemp.load_run(tmp_path / "run")[1:]
    assert by_key(loose).keys() == by_key(first).keys() and len(first) == 8


def test_a_reader_that_leaves_ends_it_quietly_and_what_is_saved_stays(path: Path, tmp_path: Path) -> None:
    line = f"{NEGTEMP} sweep -m {path} -o {tmp_path / 'run'} -p aa -n 3 --repeats 20 --json | head -n 2"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("\n") == 2
    assert len(done.stderr.splitlines()) == 1 and "420 units" in done.stderr
    assert 1 < len(negtemp.load_run(tmp_path / "run")) < 421
