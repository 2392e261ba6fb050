"""How a sweep grows with its units, its workers and its shards, without a model: units that sleep instead of decoding.

    python benchmarks/scale.py [--units 100000] [--workers 64] [--shards 1000]

The driver, the store and the merge are the real ones; a worker is a thread that answers what it is told after a while.
It prints two Markdown tables: seconds and the driver's memory against units and workers, seconds and memory of a merge
against shards of 1,000 units. It leaves out processes, networks and disks of other machines.
"""

import argparse
import json
import queue
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from negtemp.experiments.settings import Settings
from negtemp.experiments.sweep import SweepPlan, Unit
from negtemp.records import Completion, EngineBuild, Header, ModelFile, to_line
from negtemp.runs import execution, merging, sweeping
from negtemp.runs.manifest import Manifest
from negtemp.runs.shards import Shard
from negtemp.runs.store import Store
from negtemp.runs.worker import END, STOP, Job
from negtemp.runs.workers import Workers
from negtemp.theory.temperature import Temperature

_SLOTS = 4
_UNIT_SECONDS = 0.02


def plan(units: int) -> SweepPlan:
    at = (Temperature.of(-1.0), Temperature.of(1.0))
    return SweepPlan(("p",), at, (1,), units // len(at), Settings(n_predict=16))


def header(asked: SweepPlan) -> Header:
    model = ModelFile(name="m", description="", vocabulary=32000, file="m.gguf", fingerprint="0")
    build = EngineBuild(llama_cpp_python="0", patches=(), patched=True)
    return Header(negtemp="0", command="sweep", model=model, engine=build, settings=sweeping.described(asked))


def answer(unit: Unit, asked: SweepPlan) -> Completion:
    return Completion(
        sequence=unit.number, prompt=unit.prompt, prompt_token_ids=(1, 2, 3), temperature=unit.temperature,
        seed=unit.seed, token_ids=tuple(range(16)), text="x" * 60, stop="length", tokens_per_second=1.0,
        mean_logprob=-1.0, mean_rank=0.0, distinct=1.0, unit=unit.key(asked.settings), run_seed=unit.run_seed,
        repeat=unit.repeat,
    )  # fmt: skip


class Sleeper:
    """A worker that sleeps through its units, as many together as one that decodes."""

    device: str | None = None

    def __init__(self, asked: SweepPlan) -> None:
        self._plan = asked
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def tell(self, line: str) -> None:
        self._told.put(line)

    def lines(self) -> Iterator[str]:
        self._told.get()
        yield json.dumps({"ready": _SLOTS, "devices": []})
        while (word := self._told.get()) not in (END, STOP):
            time.sleep(_UNIT_SECONDS / _SLOTS)
            yield to_line(answer(self._plan.unit(int(word)), self._plan))

    def kill(self) -> None:
        self.tell(STOP)

    def close(self) -> str:
        return ""


def drive(units: int, workers: int) -> None:
    """One sweep, in this process; prints seconds and peak MiB."""
    asked = plan(units)
    job = Job("m.gguf", sweeping.described(asked), 0, 1, _SLOTS)
    folder = Path(tempfile.mkdtemp())
    started = time.perf_counter()
    with Store(folder, Manifest(header(asked), len(asked)), {"machine": "here"}) as store:
        running = Workers(job, workers, lambda _: Sleeper(asked)).run(execution.unfinished(asked, store))
        count = sum(1 for _ in execution.kept(running, store))
    assert count == units
    _said(started)
    shutil.rmtree(folder)


def merge(shards: int, each: int = 1000) -> None:
    """Write so many shards, then merge them; prints the merge's seconds and peak MiB."""
    asked = plan(shards * each)
    folder = Path(tempfile.mkdtemp())
    for number in range(1, shards + 1):
        shard = Shard(number, shards)
        described = Manifest(header(asked), shard.count(len(asked)), shard=str(shard))
        with Store(shard.folder(folder), described, {"machine": "here", "platform": "Linux"}) as store:
            lines = [to_line(answer(asked.unit(place), asked)) for place in range(number - 1, len(asked), shards)]
            store.append("".join(f"{line}\n" for line in lines).encode())
    started = time.perf_counter()
    merged = merging.merge(merging.shards_in(folder), folder)
    assert merged.finished == shards * each and not merged.missing
    _said(started)
    shutil.rmtree(folder)


def _said(started: float) -> None:
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _measured(*arguments: object) -> tuple[float, float]:
    """Seconds and peak MiB, in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    seconds, memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--drive", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--merge", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.drive:
        drive(*wanted.drive)
    elif wanted.merge:
        merge(wanted.merge)
    else:
        tables(wanted.units, wanted.workers, wanted.shards)


def tables(units: int, workers: int, shards: int) -> None:
    print("| units | workers | seconds | of which the units sleep | driver, MiB |\n| --- | --- | --- | --- | --- |")
    for count, by in ((units // 100, workers), (units // 10, workers), (units, workers), (units // 10, workers // 8)):
        seconds, memory = _measured("--drive", count, by)
        print(
            f"| {count:,} | {by} | {seconds:.1f} | {count * _UNIT_SECONDS / _SLOTS / by:.1f} | {memory:.0f} |",
            flush=True,
        )
    print("\n| shards of 1,000 units | merge, seconds | MiB |\n| --- | --- | --- |")
    for count in (shards // 100, shards // 10, shards):
        seconds, memory = _measured("--merge", count)
        print(f"| {count:,} | {seconds:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
