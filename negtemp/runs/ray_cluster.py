"""Workers as actors of a Ray cluster (extra `negtemp[ray]`).

The cluster is the one that RAY_ADDRESS names, or one of this machine alone, started without a dashboard and open to
nobody else: its processes take no call without a token that is drawn for it. Every node must have negtemp, its library
and the model, at the same path; each node's model is compared with the one here, byte for byte by its fingerprint,
before work begins, and by each worker again once it has loaded it, for nodes that join later. Ray schedules, restarts
nothing and stores nothing: `workers` does, as with processes.
"""

import contextlib
import os
import queue
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from negtemp.errors import ModelError, NegtempError, UsageError
from negtemp.printable import counted, printable_text
from negtemp.runs import worker
from negtemp.runs.worker import Job

_SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one actor takes of a node."""

    cpus: float = 1.0
    gpus: float = 0.0


@contextlib.contextmanager
def connected() -> Iterator[Any]:
    """The module `ray`, connected. Raises UsageError where it is not installed or the cluster does not answer."""
    address = os.environ.get("RAY_ADDRESS")
    if not address:  # read once, when Ray is imported
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray takes another package; pip install 'negtemp[ray]'") from None
    try:
        if address:
            _knock(address)
            ray.init(address=address, **_SILENT)
        else:
            ray.init(address="local", include_dashboard=False, **_SILENT)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the cluster at RAY_ADDRESS={address} does not answer" if address else "Ray does not start here"
        raise UsageError(f"{where}: {_first_line(error)}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nothing listens at `host:port`: Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS).close()


def count(ray: Any, share: Share) -> int:
    """How many actors fit into the cluster. Raises UsageError where no node has room for one."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = sum(_fits(node.get("CPU", 0.0), node.get("GPU", 0.0), share) for node in nodes)
    if not found:
        raise UsageError(
            f"no node of the cluster has {share.cpus:g} CPUs and {share.gpus:g} GPUs for a worker; "
            "give less with --num-cpus and --num-gpus"
        )
    return found


def _fits(cpus: float, gpus: float, share: Share) -> int:
    rooms = [int(has // takes) for has, takes in ((cpus, share.cpus), (gpus, share.gpus)) if takes]
    return min(rooms, default=1)


def where(ray: Any) -> str:
    """The cluster in a few words."""
    names = [printable_text(node["NodeManagerHostname"]) for node in ray.nodes() if node["Alive"]]
    return f"{counted(len(names), 'node')} of a Ray cluster ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"


def check_nodes(ray: Any, job: Job) -> None:
    """Compare the model on every node with the one here. Raises ModelError for the first that has another, or none."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0)(_problem)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(job)
        for node in nodes
    ]
    for node, reference in zip(nodes, asked, strict=True):
        try:
            problem = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            problem = _first_line(error.cause)
        except ray.exceptions.RayError:
            problem = None  # a node that has gone meanwhile
        if problem:
            raise ModelError(f"the node {printable_text(node['NodeManagerHostname'])} cannot take part: {problem}")


def _problem(job: Job) -> str | None:
    """What keeps a node from running the job; runs there."""
    try:
        worker.check(job)
    except NegtempError as error:
        return str(error)
    return None


class _Remote:
    """What an actor is: a worker, told by one method and answering by another, each in a thread of its own."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def tell(self, line: str) -> None:
        self._told.put(line)

    def answers(self) -> Iterator[str]:
        yield from worker.answers(iter(self._told.get, None))


class Actor:
    """The link to one actor."""

    def __init__(self, ray: Any, share: Share, device: str | None) -> None:
        self.device = device
        self._ray, self._end = ray, "without a word"
        kind = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, concurrency_groups={"told": 1, "answers": 1})
        self._actor = kind(_Remote).remote()
        # made here: lines() runs in a thread, and what is told must find the actor's answers begun
        answers = self._actor.answers.options(concurrency_group="answers", num_returns="streaming")
        self._answers = answers.remote()

    def tell(self, line: str) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._actor.tell.options(concurrency_group="told").remote(line)

    def lines(self) -> Iterator[str]:
        try:
            for reference in self._answers:
                yield self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._end = f"by {_first_line(error)}"

    def kill(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)

    def close(self) -> str:
        self.kill()
        return self._end


def on(ray: Any, share: Share, device: str | None) -> Callable[[int], Actor]:
    """Worker actors, each with this share of a node; `device` names the GPU that they must see, if any."""
    return lambda number: Actor(ray, share, device)


def _first_line(error: BaseException) -> str:
    """The first line of a foreign error that says something, made safe."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable_text((lines or [type(error).__name__])[0], keep=" ")
