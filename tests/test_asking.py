"""What an audit asks for is the same wherever it is asked, and nothing of it is lost or asked for twice."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import NEGTEMP, assert_one_line, call
from test_workers import deadly_worker

from negtemp.errors import DecodeError
from negtemp.experiments import asking
from negtemp.experiments.asking import WINDOW, Answers, AskingPlan
from negtemp.experiments.elicitation import Elicitor
from negtemp.model.engine.engine import Engine
from negtemp.records import Asked
from negtemp.runs import asking as kept
from negtemp.runs import processes
from negtemp.runs.execution import Execution
from negtemp.runs.worker import Job
from negtemp.runs.workers import Workers

EXHAUSTIVE = ["audit", "--exhaustive", "--json"]


def audited(folder: Path, *more: str) -> str:
    done = call(*EXHAUSTIVE, *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def windows(folder: Path) -> list[int]:
    """The numbers of the windows that a run directory holds, in the order of its file."""
    (file,) = folder.glob("negtemp-runs/asked-*/records.jsonl")
    return [json.loads(line)["sequence"] for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An audit of the bundled model that asks for every token, by one process."""
    return audited(tmp_path_factory.mktemp("alone"))


def test_two_workers_give_the_audit_of_one_process(alone: str, tmp_path: Path) -> None:
    assert audited(tmp_path, "--workers", "2") == alone


def test_merged_shards_give_the_audit_of_one_process(alone: str, tmp_path: Path) -> None:
    for number in (3, 1, 2):
        done = call("audit", "--exhaustive", "--shard", f"{number}/3", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "negtemp-runs").iterdir()
    assert "32 of 32 units" in call("merge", str(folder)).stdout
    assert audited(tmp_path) == alone
    assert sorted(windows(tmp_path)) == list(range(32)), "nothing was asked for again"


def test_an_audit_that_is_killed_goes_on_where_it_stopped(alone: str, tmp_path: Path) -> None:
    killed = subprocess.Popen([NEGTEMP, *EXHAUSTIVE], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not any(file.stat().st_size for file in tmp_path.glob("negtemp-runs/asked-*/records.jsonl")):
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    before = len(windows(tmp_path))
    assert audited(tmp_path) == alone
    assert sorted(windows(tmp_path)) == list(range(32))
    assert windows(tmp_path)[:before] == list(range(before))


def test_what_was_asked_for_can_be_shown(tmp_path: Path) -> None:
    call("audit", "--exhaustive", "--shard", "1/2", cwd=tmp_path)
    (folder,) = tmp_path.glob("negtemp-runs/asked-*/shard-1-of-2")
    assert call("show", str(folder)).stdout.startswith("1,024 of 2,048 tokens asked for: ")


def test_workers_answer_a_repeat_as_one_process_does(tmp_path: Path) -> None:
    ids = ["repeat", "--ids", ",".join(map(str, range(300, 420))), "--controls", "0", "--samples", "0", "--json"]
    assert call(*ids, "--workers", "2").stdout == call(*ids).stdout != ""


def test_answers_that_are_kept_are_those_that_were_found(engine: Engine) -> None:
    elicitor = Elicitor(engine)
    plan = AskingPlan(tuple(range(100)), tuple(elicitor.prompts))
    found = [list(elicitor.ask(unit.token_ids)) for unit in plan.units()]
    assert list(asking.in_order(asking.ask(elicitor, plan))) == found


def test_answers_come_in_the_order_of_the_plan_and_no_window_is_begun_for_nothing() -> None:
    begun = []

    def backwards() -> Answers:
        for number in (1, 0, 3, 2, 4):
            begun.append(number)
            yield Asked(sequence=number, token_ids=(number,), probabilities={}, ranks={}, unit="0")

    ordered = asking.in_order(backwards())
    assert [next(ordered)[0].token_id, next(ordered)[0].token_id] == [0, 1]
    ordered.close()
    assert begun == [1, 0]


def test_a_plan_read_back_is_the_same_plan() -> None:
    plan = AskingPlan((*range(200), 7, 5), ("echo",), None)
    again = AskingPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert [again.key(unit) for unit in again.units()] == [plan.key(unit) for unit in plan.units()]
    assert len(list(plan.units())) == len(plan) == -(-202 // WINDOW)


def test_a_window_at_which_workers_die_ends_the_audit_in_one_line(engine: Engine, tmp_path: Path) -> None:
    plan = AskingPlan(tuple(range(200)), ("echo",))
    job = Job(str(engine.model.path), plan.to_dict(), 0, 1, None, kind=kept.COMMAND)
    running = Workers(job, 2, processes.on(command=deadly_worker(tmp_path, 1))).run(plan.units())
    with pytest.raises(DecodeError, match=r"could not be asked for the tokens 64 to 127: .* ended 3 times"):
        list(running)


def test_a_sitting_says_on_which_workers_it_ran(engine: Engine, tmp_path: Path) -> None:
    plan = AskingPlan(tuple(range(70)), ("echo",))
    records: Iterator[Asked] = kept.records(engine, plan, Execution(workers=2, n_gpu_layers=0), tmp_path)
    assert sorted(record.sequence for record in records) == [0, 1]
    (sitting,) = json.loads((tmp_path / "manifest.json").read_text())["sessions"]
    assert (sitting["executor"], sitting["workers"]) == ("process", 2)


@pytest.mark.parametrize(
    "wrong", [["--shard", "1/2"], ["--exhaustive", "--shard", "3/2"], ["--exhaustive", "--workers", "0"],
              ["--exhaustive", "--no-verify", "--shard", "1/2"]],
    ids=["not every token", "no such shard", "no worker", "not asked"],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(wrong: list[str], tmp_path: Path) -> None:
    assert_one_line(call("audit", *wrong, cwd=tmp_path), 2)
