"""Shards cover a sweep, each unit once; merging them is what one process would have written; nothing else is merged."""

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import assert_one_line, call

from negtemp.errors import RecordError, UsageError
from negtemp.experiments.settings import Settings
from negtemp.experiments.sweep import SweepPlan, Unit
from negtemp.records import Completion, EngineBuild, Failure, Header, ModelFile, Record, from_line
from negtemp.runs import sweeping
from negtemp.runs.lines import NAME
from negtemp.runs.manifest import Manifest
from negtemp.runs.merging import merge, shards_in
from negtemp.runs.reading import load_run
from negtemp.runs.shards import WHOLE, Shard
from negtemp.runs.store import Store
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature

PLAN = SweepPlan(
    prompts=("Temperature is a concept", "é \x1b[31m"), temperatures=(Temperature.of(-0.001), UNIFORM, ANTIGREEDY),
    seeds=(1, 7), repeats=2, settings=Settings(n_predict=3, mask=("control",)),
)  # fmt: skip


def header(plan: SweepPlan = PLAN, fingerprint: str = "ab") -> Header:
    model = ModelFile(name="m", description="", vocabulary=9, file="m.gguf", fingerprint=fingerprint)
    build = EngineBuild(llama_cpp_python="0", patches=("a.patch",), patched=True)
    return Header(negtemp="0", command="sweep", model=model, engine=build, settings=sweeping.described(plan))


def completion(unit: Unit, plan: SweepPlan = PLAN) -> Completion:
    return Completion(
        sequence=unit.number, prompt=unit.prompt, prompt_token_ids=(1,), temperature=unit.temperature, seed=unit.seed,
        token_ids=(2,), text="x", stop="length", tokens_per_second=1.0, mean_logprob=-1.0, mean_rank=0.0, distinct=1.0,
        unit=unit.key(plan.settings), run_seed=unit.run_seed, repeat=unit.repeat,
    )  # fmt: skip


def failure(unit: Unit) -> Failure:
    return Failure(
        sequence=unit.number, prompt=unit.prompt, temperature=unit.temperature, seed=unit.seed, reason="no room",
        unit=unit.key(PLAN.settings), run_seed=unit.run_seed, repeat=unit.repeat,
    )  # fmt: skip


def write(folder: Path, records: Iterable[Record], shard: Shard = WHOLE, machine: str = "here", **head: Any) -> Path:
    """A run directory that holds these records."""
    described = Manifest(header(**head), shard.count(len(PLAN)), shard=None if shard == WHOLE else str(shard))
    with Store(folder, described, {"machine": machine, "platform": "Linux"}) as store:
        for record in records:
            store.save(record)
    return folder


def shards(folder: Path, of: int, answer: Callable[[Unit], Record] = completion) -> list[Path]:
    """A sweep in so many shards, each whole."""
    made = [Shard(number, of) for number in range(1, of + 1)]
    return [
        write(shard.folder(folder), (answer(PLAN.unit(n)) for n in range(shard.number - 1, len(PLAN), of)), shard)
        for shard in made
    ]


def units(folder: Path) -> list[str]:
    return sorted(str(r.unit) for r in load_run(folder) if isinstance(r, Completion | Failure))


@given(units=st.integers(0, 500), of=st.integers(1, 50))
def test_shards_cover_all_units_each_once(units: int, of: int) -> None:
    taken = [range(number - 1, units, of) for number in range(1, of + 1)]
    assert sorted(n for part in taken for n in part) == list(range(units))
    counts = [Shard(number, of).count(units) for number in range(1, of + 1)]
    assert counts == [len(part) for part in taken]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("text", ["5/4", "0/4", "4", "4/", "/4", "a/b", "1/0", "-1/4", "1/4/4", "", "²/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Shard.of_text(text, {})


@pytest.mark.parametrize(
    ("first", "step", "ids"), [(0, 1, [0, 1, 2, 3]), (1, 1, [1, 2, 3, 4]), (10, 5, [10, 15, 20, 25])]
)
def test_a_slurm_array_is_shards_whatever_its_first_index(first: int, step: int, ids: list[int]) -> None:
    array = {"MIN": first, "MAX": ids[-1], "STEP": step, "COUNT": len(ids)}
    found = []
    for task in ids:
        environment = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in (array | {"ID": task}).items()}
        found.append(str(Shard.of_text("slurm", environment)))
    assert found == ["1/4", "2/4", "3/4", "4/4"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"ID": "3", "MIN": "0", "MAX": "9", "COUNT": "3"}, {"ID": "x", "MIN": "0", "COUNT": "3"}],
    ids=str,
)
def test_an_array_that_is_none_or_has_gaps_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Shard.of_text("slurm", {f"SLURM_ARRAY_TASK_{name}": value for name, value in environment.items()})


def test_a_plan_comes_back_from_the_settings_that_a_header_holds() -> None:
    saved = json.loads(json.dumps(sweeping.described(PLAN)))
    again = SweepPlan.from_dict(saved)
    assert again == PLAN
    assert [unit.key(again.settings) for unit in again.units()] == [unit.key(PLAN.settings) for unit in PLAN.units()]
    assert math.copysign(1, again.temperatures[2].temperature) == -1  # antigreedy is -0.0


def test_a_unit_by_its_place_is_the_one_that_the_nested_loops_give() -> None:
    plan = SweepPlan(("a", "b", "c"), (GREEDY, UNIFORM), (4, 5), repeats=3)
    nested = [
        (prompt, temperature, seed, repeat)
        for prompt in plan.prompts for seed in plan.seeds for repeat in range(3) for temperature in plan.temperatures
    ]  # fmt: skip
    assert [(u.prompt, u.temperature, u.run_seed, u.repeat) for u in plan.units()] == nested
    assert [unit.number for unit in plan.units()] == list(range(36))


@pytest.mark.parametrize("of", [1, 2, 5, 24])
def test_merged_shards_are_the_whole_sweep(tmp_path: Path, of: int) -> None:
    whole = write(tmp_path / "whole", map(completion, PLAN.units()))
    merged = merge(shards(tmp_path / "parts", of), tmp_path / "merged")
    assert (merged.units, merged.finished, merged.added, merged.missing) == (24, 24, 24, {})
    lines = [sorted((folder / NAME).read_bytes().splitlines()) for folder in (whole, tmp_path / "merged")]
    assert lines[0] == lines[1]


def test_merging_again_adds_nothing_and_then_only_what_is_new(tmp_path: Path) -> None:
    first, second = shards(tmp_path, 2)
    assert merge([first], tmp_path / "m").missing == {"2/2": 12}
    again = merge([first], tmp_path / "m")
    assert (again.added, again.finished) == (0, 12)
    both = merge([first, second], tmp_path / "m")
    assert (both.added, both.finished, both.missing) == (12, 24, {})
    assert units(tmp_path / "m") == sorted(unit.key(PLAN.settings) for unit in PLAN.units())


def test_a_unit_that_failed_in_one_run_and_came_out_in_another_is_no_failure(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad", map(failure, PLAN.units()))
    good = write(tmp_path / "good", (completion(unit) for unit in PLAN.units() if unit.number < 20))
    merged = merge([bad, good], tmp_path / "m")
    assert (merged.finished, merged.failed) == (24, 4)
    kinds = [record.kind for record in load_run(tmp_path / "m")[1:]]
    assert (kinds.count("completion"), kinds.count("error")) == (20, 4)


def test_a_failure_that_was_merged_gives_way_to_what_is_generated_later(tmp_path: Path) -> None:
    merge([write(tmp_path / "bad", map(failure, PLAN.units()))], tmp_path / "m")
    merged = merge([write(tmp_path / "good", map(completion, PLAN.units()))], tmp_path / "m")
    assert (merged.finished, merged.failed, merged.missing) == (24, 0, {})


def test_runs_of_other_models_or_settings_are_not_merged(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [])
    for name, changed in (("model", {"fingerprint": "cd"}), ("plan", {"plan": SweepPlan(("other",))})):
        other = write(tmp_path / name, [], **changed)
        with pytest.raises(UsageError, match="not of one sweep"):
            merge([one, other], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_run_is_not_merged_with_itself(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [])
    (tmp_path / "link").symlink_to(one)
    with pytest.raises(UsageError, match="given twice"):
        merge([one, tmp_path / "link"], tmp_path / "m")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is no run directory"):
        merge([tmp_path], tmp_path / "m")


def test_runs_of_several_machines_are_told(tmp_path: Path) -> None:
    runs = [write(tmp_path / name, [], machine=name) for name in ("a", "b")]
    assert merge(runs, tmp_path / "m").machines == ("a", "b")


def test_a_torn_shard_counts_for_what_is_whole(tmp_path: Path) -> None:
    first, second = shards(tmp_path, 2)
    records = second / NAME
    records.write_bytes(records.read_bytes()[:-5])
    assert merge([first, second], tmp_path / "m").missing == {"2/2": 1}


def test_a_shard_of_another_count_is_another_run(tmp_path: Path) -> None:
    write(tmp_path / "run", [], Shard(1, 2))
    with pytest.raises(UsageError, match="shard: 1/2 → 1/3"):
        write(tmp_path / "run", [], Shard(1, 3))


def test_the_command_merges_what_is_in_a_folder_and_names_what_is_missing(tmp_path: Path) -> None:
    shards(tmp_path, 3)
    (tmp_path / "shard-3-of-3" / NAME).write_bytes(b"")
    done = call("merge", str(tmp_path))
    assert done.returncode == 4
    assert "16 of 24 units" in done.stdout and "8 units of shard 3/3" in done.stdout
    printed = call("merge", str(tmp_path), "--json")
    assert from_line(printed.stdout).kind == "merged"
    assert shards_in(tmp_path) == [tmp_path / f"shard-{number}-of-3" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("arguments", "status"), [([], 2), (["nowhere"], 2), (["nowhere", "-o", "out"], 1), (["a", "b"], 2)], ids=str
)
def test_bad_arguments_are_one_line(tmp_path: Path, arguments: list[str], status: int) -> None:
    assert_one_line(call("merge", *arguments, cwd=tmp_path), status)
