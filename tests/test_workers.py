"""Workers give what one process gives, whatever happens to them: killed, stopped, refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_cli import NEGTEMP, assert_one_line, call

import negtemp
from negtemp.errors import ModelError, UsageError
from negtemp.experiments.settings import Settings
from negtemp.experiments.sweep import SweepPlan
from negtemp.records import Completion, Failure, Step
from negtemp.runs import processes, sweeping
from negtemp.runs.reading import load_run
from negtemp.runs.worker import Job
from negtemp.runs.workers import Answer, Workers
from negtemp.theory.temperature import Temperature

DETERMINISTIC = ["--deterministic", "--steps", "-n", "6", "--seeds", "1,2", "--betas=-1000,0,1"]


def job(path: Path, plan: SweepPlan, parallel: int | None = 2) -> Job:
    return Job(str(path), sweeping.described(plan), 0, 1, parallel)


def plan(repeats: int = 10, **settings: Any) -> SweepPlan:
    at = (Temperature.of(-1.0), Temperature.of(1.0))
    return SweepPlan(("aa",), at, (1,), repeats, Settings(**{"n_predict": 4, "ignore_eos": True} | settings))


def units(records: Iterator[Answer]) -> list[int]:
    return sorted(record.sequence for record in records if isinstance(record, Completion | Failure))


def without_times(folder: Path) -> list[Any]:
    """Every record of a run but for how long it took, by unit."""
    found = [record.to_dict() for record in load_run(folder)[1:]]
    for record in found:
        record.pop("tokens_per_second", None)
    return sorted(found, key=json.dumps)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_unit_comes_once_however_many_workers(random_path: Path, count: int) -> None:
    asked = plan()
    assert units(Workers(job(random_path, asked), count, processes.on()).run(asked.units())) == list(range(20))


def test_steps_come_right_before_their_completion(random_path: Path) -> None:
    asked = SweepPlan(**{**vars_of(plan()), "steps": True})
    waiting: list[int] = []
    for record in Workers(job(random_path, asked), 2, processes.on()).run(asked.units()):
        if isinstance(record, Step):
            waiting.append(record.sequence)
        else:
            assert waiting == [record.sequence] * 4
            waiting.clear()


def vars_of(asked: SweepPlan) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__slots__}


def test_four_workers_four_shards_and_one_process_give_the_same_records(random_path: Path, tmp_path: Path) -> None:
    def sweep(folder: str, *more: str) -> None:
        done = call("sweep", "-m", str(random_path), "-p", "aa", *DETERMINISTIC, "-o", str(tmp_path / folder), *more)
        assert done.returncode == 0, done.stderr

    sweep("one")
    sweep("workers", "--workers", "4")
    for shard in range(1, 5):
        sweep("shards", "--shard", f"{shard}/4")
    assert call("merge", str(tmp_path / "shards")).returncode == 0
    alone = without_times(tmp_path / "one")
    assert len(alone) == 6 * 7
    assert without_times(tmp_path / "workers") == alone
    assert without_times(tmp_path / "shards") == alone


def none_met_two_deaths(workers: Workers) -> bool:
    """Whether no unit still to be answered has met two: one that meets a third, even by chance, has rightly failed."""
    waiting = [*workers._again, *(unit for each in workers._live for unit in each.given.values())]
    return all(workers._deaths[unit.number] < 2 for unit in waiting)


def test_a_worker_that_is_killed_loses_nothing(random_path: Path) -> None:
    asked = plan(repeats=60, n_predict=64)
    workers, answered, killed = Workers(job(random_path, asked), 2, processes.on()), [], 0
    for record in workers.run(asked.units()):
        answered.append(record)
        if killed < 5 and len(answered) >= 7 * (killed + 1) and none_met_two_deaths(workers):
            workers._live[killed % 2].link.kill()
            killed += 1
    assert killed == 5
    assert units(iter(answered)) == list(range(120))
    assert not any(isinstance(record, Failure) for record in answered)


def deadly_worker(folder: Path, number: int) -> tuple[str, ...]:
    """The command of workers that end by -9 at the unit of this number."""
    deadly = folder / "deadly.py"
    deadly.write_text(
        "import os\nfrom negtemp.runs import worker\nread = worker.Inbox.__next__\n"
        f"def next_unit(self):\n    unit = read(self)\n    if unit.number == {number}:\n"
        "        os.kill(os.getpid(), 9)\n    return unit\nworker.Inbox.__next__ = next_unit\nworker.main()\n"
    )
    return sys.executable, str(deadly)


def test_a_unit_at_which_workers_die_is_a_failure_and_the_others_come(random_path: Path, tmp_path: Path) -> None:
    deadly = deadly_worker(tmp_path, 3)
    asked = plan()
    records = list(Workers(job(random_path, asked), 2, processes.on(command=deadly)).run(asked.units()))
    assert units(iter(records)) == list(range(20))
    (failed,) = [record for record in records if isinstance(record, Failure)]
    assert failed.sequence == 3 and "ended 3 times, last with status -9" in failed.reason


def test_once_stopping_what_has_begun_is_finished_and_no_more(random_path: Path) -> None:
    asked, seen = plan(repeats=500), list[Answer]()
    for record in Workers(job(random_path, asked), 2, processes.on()).run(asked.units(), lambda: len(seen) >= 3):
        seen.append(record)
    assert 3 <= len(seen) < 100


def test_workers_end_when_the_driver_is_killed(random_path: Path, tmp_path: Path) -> None:
    command = [NEGTEMP, "sweep", "-m", str(random_path), "-p", "aa", "-n", "800", "--ignore-eos", "--betas=-1,1",
               "--repeats", "1000", "--workers", "2", "-o", str(tmp_path / "run")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        while len(children := workers_of(driver.pid)) < 2:
            time.sleep(0.01)
        driver.kill()
    while any(Path(f"/proc/{child}").exists() and not is_zombie(child) for child in children):
        time.sleep(0.01)


def workers_of(driver: int) -> list[int]:
    """Children of a process that are workers."""
    listed = Path(f"/proc/{driver}/task/{driver}/children")
    pids = [int(pid) for pid in listed.read_text().split()] if listed.exists() else []
    return [pid for pid in pids if b"negtemp.runs.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_ctrl_c_ends_workers_and_says_how_to_go_on(random_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [NEGTEMP, "sweep", "-m", str(random_path), "-p", "aa", "-n", "100", "--ignore-eos", "--betas=-1,1",
               "--repeats", "2000", "--workers", "2", "-np", "2", "-o", str(folder)]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as driver:
        while not (folder / "records.jsonl").exists() or not (folder / "records.jsonl").stat().st_size:
            time.sleep(0.01)
        driver.send_signal(signal.SIGINT)
        _, complaint = driver.communicate(timeout=60)
    assert driver.returncode == 130
    saved = len(load_run(folder)) - 1
    assert f"{saved:,} of 4,000 units are saved" in complaint and "--workers 2" in complaint


@pytest.mark.parametrize(
    "arguments", [["--workers", "0"], ["--workers", "1", "--devices", "0,1"], ["--shard", "5/4"]], ids=str
)
def test_what_cannot_be_is_refused(arguments: list[str], tmp_path: Path) -> None:
    assert_one_line(call("sweep", *arguments, "-o", str(tmp_path / "run")), 2)


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = call("sweep", "--devices", "7", "-n", "1", "--betas=1", "-o", str(tmp_path / "run"),
                environment={"CUDA_VISIBLE_DEVICES": ""})  # fmt: skip
    assert done.returncode == 2 and "the device 7 is not there" in done.stderr


def test_a_worker_that_never_gets_ready_is_one_error(random_path: Path) -> None:
    asked = plan()
    with pytest.raises(ModelError, match="before they had loaded the model"):
        list(Workers(job(random_path, asked), 2, processes.on(command=(sys.executable, "-c", ""))).run(asked.units()))


def test_no_worker_is_refused(random_path: Path) -> None:
    with pytest.raises(UsageError):
        Workers(job(random_path, plan()), 0, processes.on())


def test_a_model_that_does_not_load_is_told_by_the_worker(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    asked = plan()
    with pytest.raises(ModelError):
        list(Workers(job(tmp_path / "bad.gguf", asked), 2, processes.on()).run(asked.units()))
    assert not workers_of(os.getpid())


def test_failed_units_run_again_when_asked_to(random_path: Path, tmp_path: Path) -> None:
    arguments = ["sweep", "-m", str(random_path), "-p", "aa", "-p", "aa " * 40, "-n", "4", "-c", "20", "--betas=1,-1",
                 "-o", str(tmp_path / "run")]  # fmt: skip
    assert call(*arguments).returncode == 4
    before = [record for record in load_run(tmp_path / "run") if isinstance(record, Failure)]
    again = call(*arguments, "--retry-failed")
    assert again.returncode == 4 and "2 of them finished" in again.stderr
    after = [record for record in load_run(tmp_path / "run") if isinstance(record, Failure)]
    assert len(before) == len(after) == 2


def test_from_python_workers_give_what_one_process_gives(tmp_path: Path) -> None:
    """In any order, and saved once; a second call finds all of it there."""
    asked: dict[str, Any] = {"betas": [-1.0, 1.0], "seeds": [1, 2], "n_predict": 3, "deterministic": True}
    with negtemp.load(threads=1) as model:
        alone = dict(map(_unit, model.sweep("a", "b", **asked)))
        together = list(model.sweep("a", "b", **asked, workers=2, output=tmp_path / "run"))
        again = list(model.sweep("a", "b", **asked, workers=2, output=tmp_path / "run"))
    assert dict(map(_unit, together)) == alone
    assert len(together) == len(again) == 8


def _unit(record: Any) -> tuple[tuple[str, float, int], Any]:
    return (record.prompt, record.temperature.beta, record.seed), record.token_ids


def test_from_python_too_few_workers_are_refused() -> None:
    with negtemp.load() as model, pytest.raises(UsageError, match="`workers` is 0"):
        model.sweep("a", workers=0)
