"""A sweep on a Ray cluster of several nodes gives what one process gives, whatever dies."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_cli import NEGTEMP, assert_one_line, call
from test_workers import DETERMINISTIC, without_times

from negtemp.errors import ModelError, UsageError
from negtemp.records import Completion
from negtemp.runs import ray_cluster
from negtemp.runs.lines import NAME
from negtemp.runs.ray_cluster import Share
from negtemp.runs.reading import load_run
from negtemp.runs.worker import Job

pytest.importorskip("ray", reason="a Ray cluster needs the extra negtemp[ray]")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for workers, and two nodes with a CPU and a GPU that is only said to be one."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1, num_gpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def environment(cluster: Any) -> dict[str, str]:
    return {"RAY_ADDRESS": cluster.address}


def sweep(model: Path, folder: Path, *more: str) -> list[str]:
    return ["sweep", "-m", str(model), "-p", "aa", "-ngl", "0", "-o", str(folder), *more]


def long_sweep(model: Path, folder: Path) -> list[str]:
    long = ["-n", "400", "--ignore-eos", "--betas=-1,1", "--repeats", "20", "-np", "2"]
    return sweep(model, folder, "--executor", "ray", *long)


def workers() -> list[int]:
    """The processes of the cluster's actors."""
    found = subprocess.run(["pgrep", "-f", "^ray::_Remote"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def begun(driver: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the sweep has saved a unit."""
    records = folder / NAME
    while not records.exists() or not records.stat().st_size:
        assert driver.poll() is None
        time.sleep(0.01)


def every_unit_once(folder: Path) -> None:
    keys = [record.unit for record in load_run(folder) if isinstance(record, Completion)]
    assert len(keys) == len(set(keys)) == 40


def test_a_cluster_gives_the_records_of_one_process(
    random_path: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    on_ray = ["--executor", "ray", "--num-gpus", "0.5", "--num-cpus", "0.5"]
    done = call(*sweep(random_path, tmp_path / "ray", *on_ray, *DETERMINISTIC), environment=environment)
    assert done.returncode == 0, done.stderr
    assert "4 workers on 3 nodes" in done.stderr
    assert call(*sweep(random_path, tmp_path / "one", *DETERMINISTIC)).returncode == 0
    assert without_times(tmp_path / "ray") == without_times(tmp_path / "one")


def test_an_actor_that_is_killed_loses_nothing(random_path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen([NEGTEMP, *long_sweep(random_path, tmp_path)], env=os.environ | environment) as driver:
        begun(driver, tmp_path)
        os.kill(workers()[0], signal.SIGKILL)
    assert driver.returncode == 0
    every_unit_once(tmp_path)


def test_a_node_that_is_lost_loses_nothing(
    random_path: Path, tmp_path: Path, cluster: Any, environment: dict[str, str]
) -> None:
    lost = cluster.add_node(num_cpus=1)
    with subprocess.Popen([NEGTEMP, *long_sweep(random_path, tmp_path)], env=os.environ | environment) as driver:
        begun(driver, tmp_path)
        cluster.remove_node(lost, allow_graceful=False)
    assert driver.returncode == 0
    every_unit_once(tmp_path)


def test_a_driver_that_is_killed_goes_on(random_path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen([NEGTEMP, *long_sweep(random_path, tmp_path)], env=os.environ | environment) as driver:
        begun(driver, tmp_path)
        driver.kill()
    again = call(*long_sweep(random_path, tmp_path), environment=environment)
    assert again.returncode == 0 and "of them finished" in again.stderr
    every_unit_once(tmp_path)


def test_ctrl_c_finishes_what_has_begun(random_path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    command = [NEGTEMP, *long_sweep(random_path, tmp_path)]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as driver:
        begun(driver, tmp_path)  # type: ignore[arg-type]
        driver.send_signal(signal.SIGINT)
        _, complaint = driver.communicate()
    assert driver.returncode == 130 and "go on with" in complaint


def test_more_than_any_node_has_is_refused(random_path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    done = call(*sweep(random_path, tmp_path, "--executor", "ray", "--num-cpus", "64"), environment=environment)
    assert_one_line(done, 2)
    assert "no node of the cluster has 64 CPUs and 0 GPUs" in done.stderr


def test_a_cluster_that_does_not_answer_is_named(random_path: Path, tmp_path: Path) -> None:
    done = call(*sweep(random_path, tmp_path, "--executor", "ray"), environment={"RAY_ADDRESS": "127.0.0.1:9"})
    assert done.returncode == 2 and "RAY_ADDRESS=127.0.0.1:9 does not answer" in done.stderr


@pytest.mark.parametrize(("path", "fingerprint"), [("/nowhere.gguf", None), ("", "0" * 64)], ids=["none", "another"])
def test_a_node_without_the_model_is_named_before_work_begins(
    cluster: Any, random_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, fingerprint: str | None
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    job = Job(path or str(random_path), {}, 0, 1, 1, fingerprint)
    reason = "nowhere.gguf" if path else "is another model"
    with ray_cluster.connected() as ray, pytest.raises(ModelError, match=f"cannot take part: .*{reason}"):
        ray_cluster.check_nodes(ray, job)


def test_a_ray_of_its_own_takes_no_call_without_its_token(random_path: Path, tmp_path: Path) -> None:
    command = [NEGTEMP, *long_sweep(random_path, tmp_path), "--workers", "1"]
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with subprocess.Popen(command, env=without, stderr=subprocess.DEVNULL) as driver:
        begun(driver, tmp_path)
        environment = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
        settings = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in environment)
        driver.kill()
    assert b"RAY_AUTH_MODE=token" in settings and b"RAY_AUTH_TOKEN=" in settings


def test_a_share_must_fit_a_node() -> None:
    class OneNode:
        @staticmethod
        def nodes() -> list[Any]:
            return json.loads('[{"Alive": true, "Resources": {"CPU": 4.0, "GPU": 2.0}}]')  # type: ignore[no-any-return]

    assert ray_cluster.count(OneNode, Share(cpus=1, gpus=0)) == 4
    assert ray_cluster.count(OneNode, Share(cpus=1, gpus=0.5)) == 4
    assert ray_cluster.count(OneNode, Share(cpus=0, gpus=1)) == 2
    with pytest.raises(UsageError, match="no node"):
        ray_cluster.count(OneNode, Share(cpus=8))


def test_a_cluster_gives_the_audit_of_one_process(tmp_path: Path, environment: dict[str, str]) -> None:
    audit = ["audit", "--exhaustive", "--json", "-ngl", "0"]
    (tmp_path / "ray").mkdir()
    there = call(*audit, "--executor", "ray", environment=environment, cwd=tmp_path / "ray")
    assert there.returncode == 0, there.stderr
    assert there.stdout == call(*audit, cwd=tmp_path).stdout
