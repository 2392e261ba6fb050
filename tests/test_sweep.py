"""Sweeps that are killed, stopped, resumed, refused and read: every unit exactly once, and the same as undisturbed."""

import gc
import itertools
import json
import random
import subprocess
import sys
import tracemalloc
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import negtemp
from negtemp.errors import UsageError
from negtemp.experiments.settings import Settings
from negtemp.experiments.sweep import BETAS, TEMPERATURES, SweepPlan, Unit, batch_shape, forecast, sweep
from negtemp.model.engine.engine import BatchShape, Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Failure, Step
from negtemp.runs.execution import kept, unfinished
from negtemp.runs.store import Store
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, Temperature


@pytest.fixture(scope="module")
def engine(compiled: Library, random_path: Path) -> Iterator[Engine]:
    """An engine on it."""
    with Model(compiled, random_path) as model:
        yield Engine(model)


def resumed(engine: Engine, plan: SweepPlan, store: Store) -> Iterator[Any]:
    """Every record of what is not finished, as it is saved."""
    return kept(sweep(engine, plan, BatchShape(4, 256), unfinished(plan, store)), store)


def plan(**changes: Any) -> SweepPlan:
    """Two prompts, five temperatures, two seeds, two repeats: 40 units of four tokens."""
    at = tuple(map(Temperature.of_beta, (-1000.0, -1.0, 0.0, 1.0, 1000.0)))
    values = {"prompts": ("aa ab", "aa ba"), "temperatures": at, "seeds": (1, 2), "repeats": 2}
    return SweepPlan(**{**values, "settings": Settings(n_predict=4, ctx_size=64), **changes})


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
    done = [r for r in sweep(engine, asked, batch_shape(engine, asked, 6)) if isinstance(r, Completion)]
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
    left = [unit for unit in asked.units() if unit.key(asked.settings) not in finished]
    assert set(keys(list(sweep(engine, asked, BatchShape(4, 256), left)))) == everything - finished


def test_steps_come_together_before_their_completion(engine: Engine) -> None:
    asked = plan(steps=True)
    steps: list[Step] = []
    for record in sweep(engine, asked, BatchShape(5, 256)):
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
            for r in sweep(engine, p, batch_shape(engine, p))
            if isinstance(r, Completion)
        }
        for p in (first, second)
    ]
    assert found[0] == found[1]


def test_a_prompt_that_cannot_fit_or_be_read_is_an_error_and_the_others_go_on(engine: Engine) -> None:
    asked = plan(prompts=("aa", "ab " * 64, "\udcff", "ba"))
    records = list(sweep(engine, asked, batch_shape(engine, asked, 4)))
    reasons = {r.prompt: r.reason for r in records if isinstance(r, Failure)}
    assert {r.prompt for r in records if isinstance(r, Completion)} == {"aa", "ba"}
    assert "`ctx_size`" in reasons["ab " * 64] and "UTF-8" in reasons["\udcff"]
    assert len(set(keys(records))) == len(records) == len(asked)


def test_memory_does_not_grow_with_units(engine: Engine) -> None:
    """Of a million units the first 600 and the first 900 take the same memory; 300 fill numpy's caches."""
    for token_id in range(engine.model.vocabulary.size):  # else each token's text is kept when it is first drawn
        engine.model.vocabulary.piece(token_id)
    asked = plan(repeats=50_000)
    stream = sweep(engine, asked, BatchShape(4, 256))
    tracemalloc.start()
    taken = []
    for _ in range(3):
        deque(itertools.islice(stream, 300), maxlen=0)
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    stream.close()  # type: ignore[attr-defined]
    assert len(asked) == 1_000_000
    assert taken[0] < 400_000 and taken[2] - taken[1] < 8_000


def test_a_forecast_counts_what_is_left(engine: Engine) -> None:
    asked = plan()
    found = forecast(engine, asked, batch_shape(engine, asked, 4), finished=30)
    assert (found.units, found.finished, found.sequences, found.tokens) == (40, 30, 4, 40)
    assert found.memory > engine.model.path.stat().st_size and found.seconds > 0


# A child that sweeps into a folder, killed when the file has grown by a random number of bytes: a moment that is random
# in the work and not in the clock. It is forked from a process that holds the model, for the sake of time.
HARNESS = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_sweep import killable, resumed
from negtemp.experiments.sweep import batch_shape
from negtemp.model import library
from negtemp.model.engine.engine import Engine, BatchShape
from negtemp.model.llama.model import Model
from negtemp.runs.sweeping import open_store

path, folder, rng = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(7)
model = Model(library.load(), path)
engine, plan, records = Engine(model), killable(), folder / "records.jsonl"
size = lambda: records.stat().st_size if records.exists() else 0
killed = 0
while killed < 30:
    child = os.fork()
    if not child:
        with open_store(folder, engine, plan, BatchShape(4, 256)) as store:
            for _ in resumed(engine, plan, store):
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


def killable() -> SweepPlan:
    """Enough units for 30 kills."""
    return plan(repeats=100)


def test_killed_at_30_random_moments_and_resumed_every_unit_is_there_once(
    engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, str(random_path), str(folder), str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "30", done.stderr
    asked = killable()
    from negtemp.runs.sweeping import open_store

    with open_store(folder, engine, asked, BatchShape(4, 256)) as store:
        assert 0 < store.saved < len(asked)
        for _ in resumed(engine, asked, store):
            pass
    records = negtemp.load_run(folder)
    assert sorted(keys(records)) == sorted(unit.key(asked.settings) for unit in asked.units())
    sessions = json.loads((folder / "manifest.json").read_text())["sessions"]
    assert len(sessions) > 20


def test_python_sweeps_into_a_folder_and_gets_all_of_it_again(random_path: Path, tmp_path: Path) -> None:
    with negtemp.load(random_path) as model:
        ask = {"betas": [-1, 1], "seeds": (1, 2), "n_predict": 2, "output": tmp_path / "run"}
        first = list(model.sweep("aa", "ab", **ask))  # type: ignore[arg-type]
        again = list(model.sweep("aa", "ab", **ask))  # type: ignore[arg-type]
        loose = list(model.sweep("aa", "ab", betas=[-1, 1], seeds=(1, 2), n_predict=2))
    assert first == again == negtemp.load_run(tmp_path / "run")[1:]
    assert by_key(loose).keys() == by_key(first).keys() and len(first) == 8
