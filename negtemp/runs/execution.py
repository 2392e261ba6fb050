"""How the units of a plan are run: here, on processes, or on a Ray cluster, and kept in a run directory as they come.

It leaves out what a unit is (`experiments.sweep`, `experiments.asking`) and the directories (`store`).
"""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from negtemp.errors import UsageError
from negtemp.model.llama.model import ALL_LAYERS
from negtemp.model.threads import default_threads
from negtemp.printable import counted
from negtemp.records import Header, Record
from negtemp.runs import processes, ray_cluster, reading
from negtemp.runs.manifest import Manifest
from negtemp.runs.ray_cluster import Share
from negtemp.runs.shards import WHOLE, Shard
from negtemp.runs.store import Store
from negtemp.runs.worker import Job, Plan
from negtemp.runs.workers import Answer, Workers

R = TypeVar("R", bound=Record)


class Run(Protocol):
    """What runs units wherever they are to be run."""

    def __call__(self, units: Iterator[Any], stopping: Callable[[], bool]) -> Iterator[Answer]:
        """The records of the units, in order of completion. It is asked before each unit whether to stop: from then on
        what has begun, or waits for room in the engine, is finished, and nothing else begins.
        """


@dataclass(frozen=True, slots=True)
class Task:
    """A plan, what runs its units in this process, and what workers are told; `threads` of None: what is best."""

    plan: Plan
    here: Callable[[Iterable[Any]], Iterator[Answer]]
    job: Job
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Sequences decoded together, which shard, again those that failed, on which workers."""

    parallel: int | None = None
    shard: Shard = WHOLE
    retry_failed: bool = False
    executor: Literal["process", "ray"] = "process"
    workers: int | None = None
    devices: tuple[str, ...] = ()
    share: Share = field(default_factory=Share)
    n_gpu_layers: int = ALL_LAYERS

    def __post_init__(self) -> None:
        """Raises UsageError for fewer workers than devices, or none."""
        fewest = max(1, len(self.devices))
        if self.workers is not None and self.workers < fewest:
            each = ", one for each device" if self.devices else ""
            raise UsageError(f"`workers` is {self.workers}; give at least {fewest}{each}")

    @property
    def worker_count(self) -> int:
        """How many engines there are; of a Ray cluster that is known once it is joined."""
        return self.workers or len(self.devices) or 1

    @property
    def on_workers(self) -> bool:
        """Whether others than this process decode."""
        return self.executor == "ray" or self.worker_count > 1 or bool(self.devices)

    @property
    def is_whole(self) -> bool:
        """Whether it is about all units and not a shard of them."""
        return self.shard == WHOLE

    def described(self) -> dict[str, Any]:
        """What a sitting says of it; nothing where this process decodes."""
        if not self.on_workers:
            return {}
        return {"executor": self.executor, "workers": self.workers or len(self.devices) or None,
                "devices": list(self.devices)}  # fmt: skip

    def store(self, folder: Path, header: Header, units: int, session: Mapping[str, Any]) -> Store:
        """The run directory of these units, begun or resumed. Raises UsageError, RecordError, OutputError."""
        named = None if self.is_whole else str(self.shard)
        return Store(folder, Manifest(header, self.shard.count(units), shard=named), session, self.retry_failed)

    @contextmanager
    def ready(self, task: Task) -> Iterator[tuple[Run, str]]:
        """What runs units, and a few words for where. Raises UsageError, ModelError for a cluster that cannot."""
        if not self.on_workers:
            yield _here(task), ""
        elif self.executor == "process":
            job = self._job(task, max(1, default_threads() // self.worker_count))
            yield Workers(job, self.worker_count, processes.on(self.devices)).run, counted(self.worker_count, "worker")
        else:
            with self._on_ray(task) as ready:
                yield ready

    @contextmanager
    def _on_ray(self, task: Task) -> Iterator[tuple[Run, str]]:
        job = self._job(task, max(1, int(self.share.cpus)))
        with ray_cluster.connected() as ray:
            workers = self.workers or ray_cluster.count(ray, self.share)
            ray_cluster.check_nodes(ray, job)
            device = "that Ray gives" if self.share.gpus and self.n_gpu_layers else None
            run = Workers(job, workers, ray_cluster.on(ray, self.share, device)).run
            yield run, f"{counted(workers, 'worker')} on {ray_cluster.where(ray)}"

    def _job(self, task: Task, threads: int) -> Job:
        return replace(task.job, n_gpu_layers=self.n_gpu_layers, threads=task.threads or threads)

    def records(self, task: Task, store: Store | None = None) -> Generator[Answer, None, None]:
        """Every record of a plan; with a store those that it holds, then the others as they are saved there."""
        with self.ready(task) as (run, _):
            if store is None:
                yield from run(map(task.plan.unit, range(len(task.plan))), lambda: False)
                return
            for record in reading.iterate(store.folder):
                if isinstance(record, Answer):
                    yield record
            yield from kept(run(unfinished(task.plan, store, self.shard), lambda: False), store)


def _here(task: Task) -> Run:
    def run(units: Iterator[Any], stopping: Callable[[], bool]) -> Iterator[Answer]:
        return task.here(itertools.takewhile(lambda _: not stopping(), units))

    return run


def unfinished(plan: Plan, store: Store, shard: Shard = WHOLE) -> Iterator[Any]:
    """The units of a shard that its run directory does not hold, in order."""
    mine = range(shard.number - 1, len(plan), shard.of)
    return (unit for unit in map(plan.unit, mine) if plan.key(unit) not in store.finished)


def kept(records: Iterable[R], store: Store) -> Iterator[R]:
    """The same records, each once it is saved. Raises OutputError."""
    for record in records:
        store.save(record)
        yield record
