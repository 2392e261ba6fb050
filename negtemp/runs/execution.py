"""How a sweep's units are run: here, on processes, or on a Ray cluster. Each is a function from units to records."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from negtemp.errors import UsageError
from negtemp.experiments.sweep import SweepPlan, Unit, sweep
from negtemp.model.engine.engine import BatchShape, Engine
from negtemp.model.llama.model import ALL_LAYERS
from negtemp.model.threads import default_threads
from negtemp.records import Completion, Failure, Step
from negtemp.runs import processes, ray_cluster, sweeping
from negtemp.runs.ray_cluster import Share
from negtemp.runs.reading import iterate
from negtemp.runs.shards import WHOLE, Shard
from negtemp.runs.workers import Answer, Workers

# the records of units, in order of completion; once the second says so, only of what has begun
Run = Callable[[Iterator[Unit], Callable[[], bool]], Iterator[Answer]]


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
    def processes(self) -> int:
        """How many engines there are; of a Ray cluster that is known once it is joined."""
        return self.workers or len(self.devices) or 1

    @property
    def on_workers(self) -> bool:
        """Whether others than this process decode."""
        return self.executor == "ray" or self.processes > 1 or bool(self.devices)

    @contextmanager
    def ready(self, engine: Engine, plan: SweepPlan, shape: BatchShape) -> Iterator[tuple[Run, str]]:
        """What runs units, and a few words for where. Raises UsageError, ModelError for a cluster that cannot."""
        if not self.on_workers:
            yield _here(engine, plan, shape), ""
        elif self.executor == "process":
            threads = engine.threads or max(1, default_threads() // self.processes)
            job = sweeping.job(engine, plan, shape, self.n_gpu_layers, threads)
            yield Workers(job, self.processes, processes.on(self.devices)).run, f"{self.processes} workers"
        else:
            with self._on_ray(engine, plan, shape) as ready:
                yield ready

    def records(self, engine: Engine, plan: SweepPlan, shape: BatchShape, folder: Path | None) -> Iterator[Answer]:
        """Every record of a plan; with a folder those that it holds, then the others as they are saved there."""
        with self.ready(engine, plan, shape) as (run, _):
            if folder is None:
                yield from run(map(plan.unit, range(len(plan))), lambda: False)
                return
            with sweeping.open_store(folder, engine, plan, shape) as store:
                for record in iterate(folder):
                    if isinstance(record, Step | Completion | Failure):
                        yield record
                yield from sweeping.kept(run(sweeping.unfinished(plan, store), lambda: False), store)

    @contextmanager
    def _on_ray(self, engine: Engine, plan: SweepPlan, shape: BatchShape) -> Iterator[tuple[Run, str]]:
        job = sweeping.job(engine, plan, shape, self.n_gpu_layers, engine.threads or max(1, int(self.share.cpus)))
        with ray_cluster.connected() as ray:
            workers = self.workers or ray_cluster.count(ray, self.share)
            ray_cluster.check_nodes(ray, job)
            device = "that Ray gives" if self.share.gpus and self.n_gpu_layers else None
            run = Workers(job, workers, ray_cluster.on(ray, self.share, device)).run
            yield run, f"{workers} workers on {ray_cluster.where(ray)}"


def _here(engine: Engine, plan: SweepPlan, shape: BatchShape) -> Run:
    def run(units: Iterator[Unit], stopping: Callable[[], bool]) -> Iterator[Answer]:
        return sweep(engine, plan, shape, itertools.takewhile(lambda _: not stopping(), units))

    return run
