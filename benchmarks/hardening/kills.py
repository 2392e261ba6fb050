"""kill -9 of what runs a sweep, at random moments: every unit must be there once, with an undisturbed sweep's tokens.

    python -m hardening.kills [--rounds 20] [--only worker,driver,actor,raylet,ray-driver]

A worker or an actor is killed under a driver that goes on; so is the raylet of a node that was added for it. A killed
driver's command is given again. Ray is a cluster of nodes on this machine (`ray.cluster_utils`), each killed with all
that runs on it. One line a kind: rounds, kills, units, and what was wrong.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
REPEATS = 60
SWEEP = (
    "sweep", "-p", "Temperature is", "--betas=-1,1", "--repeats", str(REPEATS), "-n", "64", "--deterministic", "-t1",
)  # fmt: skip
KINDS = ("worker", "driver", "actor", "raylet", "ray-driver")


def main() -> None:
    """Run the rounds of each kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default=",".join(KINDS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _cluster(given.only) as cluster:
        expected = _tokens(_swept(Path(name, "undisturbed"), []))
        print("| killed | rounds | kills | units, each once | wrong |\n| --- | --- | --- | --- | --- |")
        for kind in given.only.split(","):
            _rounds(kind, given.rounds, Path(name), expected, cluster)


def _rounds(kind: str, rounds: int, folder: Path, expected: dict[str, Any], cluster: Any) -> None:
    kills, wrong = 0, []
    for number in range(rounds):
        rng, place = random.Random(f"{kind}{number}"), folder / f"{kind}-{number}"
        kills += _disturbed(kind, place, rng, cluster)
        found = _tokens(place)
        if found != expected:
            wrong.append(f"round {number}: {len(found)} of {len(expected)} units")
    print(f"| {kind} | {rounds} | {kills} | {rounds * len(expected):,} | {'; '.join(wrong) or 0} |", flush=True)


def _disturbed(kind: str, folder: Path, rng: random.Random, cluster: Any) -> int:
    """One sweep with a kill in it; how many were killed."""
    on = ["--workers", "2"] if kind in ("worker", "driver") else ["--executor", "ray"]
    node = cluster.add_node(num_cpus=1) if kind == "raylet" else None
    command = [NEGTEMP, *SWEEP, *on, "-o", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        _until_written(folder, driver, rng.randrange(1000, 60_000))
        killed = _kill(kind, driver, node, cluster, rng)
    if kind in ("driver", "ray-driver"):
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return killed


def _kill(kind: str, driver: Any, node: Any, cluster: Any, rng: random.Random) -> int:
    if driver.poll() is not None:
        return 0
    if kind == "raylet":
        cluster.remove_node(node, allow_graceful=False)
        return 1
    targets = [driver.pid] if "driver" in kind else _workers(driver.pid) if kind == "worker" else _actors()
    with contextlib.suppress(ProcessLookupError, IndexError):
        os.kill(rng.choice(targets), signal.SIGKILL)
        return 1
    return 0


def _until_written(folder: Path, driver: Any, size: int) -> None:
    records = folder / "records.jsonl"
    while driver.poll() is None and not (records.exists() and records.stat().st_size >= size):
        time.sleep(0.002)


def _workers(driver: int) -> list[int]:
    listed = Path(f"/proc/{driver}/task/{driver}/children").read_text().split()
    return [int(pid) for pid in listed if _says(pid, b"negtemp.runs.worker")]


def _actors() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _says(path.name, b"ray::_Remote")]


def _says(pid: str, words: bytes) -> bool:
    with contextlib.suppress(OSError):
        return words in Path("/proc", pid, "cmdline").read_bytes()
    return False


def _swept(folder: Path, options: list[str]) -> Path:
    subprocess.run([NEGTEMP, *SWEEP, *options, "-o", str(folder)], check=True, capture_output=True)
    return folder


def _tokens(folder: Path) -> dict[str, Any]:
    """Token ids by unit; a unit that is there twice or failed has none."""
    found: dict[str, Any] = {}
    for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if record.get("kind") in ("completion", "failure"):
                found[record["unit"]] = None if record["unit"] in found else record.get("token_ids")
    return found


@contextlib.contextmanager
def _cluster(only: str) -> Iterator[Any]:
    """A Ray cluster of two nodes of one processor, which RAY_ADDRESS names; None where no kind needs it."""
    if set(only.split(",")) <= {"worker", "driver"}:
        yield None
        return
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = made.address
    try:
        yield made
    finally:
        made.shutdown()


if __name__ == "__main__":
    main()
