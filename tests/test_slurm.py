"""The batch script in a real Slurm: Debian's slurmctld, slurmd and munge on this machine, as root."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import NEGTEMP, assert_one_line, call
from test_workers import without_times

from negtemp.cli.sbatch import Array, script
from negtemp.errors import UsageError
from negtemp.runs.lines import NAME

# a task that is queued again waits for its credential to expire: two minutes, unless told
CONFIGURATION = """\
ClusterName=negtemp
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
RequeueExit=99
NodeName=localhost CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# daemons that do not start for a reason of this machine's must not hold up everything
_PATIENCE_SECONDS = 120
SWEEP = ["sweep", "-p", "aa", "--betas=-1,1", "--repeats", "80", "-n", "100", "--ignore-eos", "--deterministic"]


@pytest.mark.parametrize(("text", "array"), [("8", Array(8)), ("100%16", Array(100, 16)), ("1000", Array(1000))])
def test_an_array_is_read_as_slurm_writes_it(text: str, array: Array) -> None:
    assert Array.of_text(text) == array


@pytest.mark.parametrize("text", ["0", "-1", "a", "8%0", "1001", "8%", ""])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Array.of_text(text)


def test_the_script_runs_the_same_command_whatever_it_holds() -> None:
    written = script(Array(3), ["negtemp", "sweep", "-p", "it's $HOME", "--emit-sbatch", "3", "-o", "a b"], "a b")
    (line,) = [line for line in written.splitlines() if line.startswith("negtemp sweep")]
    said = subprocess.run(
        ["bash", "-c", f"negtemp() {{ printf '%s\\n' \"$@\"; }}; SLURM_ARRAY_TASK_ID=2; {line.removesuffix(' &')}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.splitlines() == ["sweep", "-p", "it's $HOME", "-o", "a b", "--shard", "2/3"]


@pytest.mark.parametrize("more", [[], ["-o", "run", "--shard", "1/2"]], ids=["no folder", "a shard"])
def test_a_script_that_could_not_work_is_refused(more: list[str]) -> None:
    assert_one_line(call("sweep", "--emit-sbatch", "2", *more), 2)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach a cluster of one node."""
    for program in ("slurmctld", "slurmd", "munged"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if os.geteuid():
        pytest.skip("Slurm's daemons want root")
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents):
        if str(parent).startswith("/tmp/pytest"):
            parent.chmod(0o755)
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder))
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    with (
        _munge(folder / "munge"),
        _daemon("slurmctld", "-D", environment=environment),
        _daemon("slurmd", "-D", "-N", "localhost", environment=environment),
    ):
        last = time.monotonic() + _PATIENCE_SECONDS
        while "idle" not in _said(["sinfo", "--noheader", "--format=%T"], environment):
            if time.monotonic() > last:
                pytest.skip("Slurm's daemons do not come up here")
            _said(["scontrol", "update", "nodename=localhost", "state=resume"], environment)
            time.sleep(0.1)
        yield environment


def _munge(folder: Path) -> "_Running":
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o400)
    shutil.chown(folder, "munge")
    shutil.chown(folder / "key", "munge")
    files = {"key-file": "key", "socket": "socket", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}
    places = [f"--{name}={folder / file}" for name, file in files.items()]
    return _daemon("runuser", "-u", "munge", "--", "munged", "--foreground", "--force", *places)


class _Running:
    """A daemon in the foreground until the block ends."""

    def __init__(self, command: list[str], environment: dict[str, str] | None) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def __enter__(self) -> "_Running":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def _daemon(*command: str, environment: dict[str, str] | None = None) -> _Running:
    return _Running(list(command), environment)


def _said(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
    )
    return done.stdout


def test_an_array_of_four_shards_gives_the_run_of_one_process_though_tasks_are_requeued(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    written = call(*SWEEP, "--emit-sbatch", "4", "-o", str(folder))
    assert written.returncode == 0, written.stderr
    job = subprocess.run(
        ["sbatch", "--parsable", "--chdir", str(tmp_path)], input=written.stdout, env=slurm, capture_output=True,
        text=True, check=True,
    ).stdout.strip()  # fmt: skip
    _wait_for_units(folder / "shard-1-of-4")
    _said(["scancel", "--batch", "--signal=USR1", f"{job}_1"], slurm)  # its time is nearly up
    _wait_for_units(folder / "shard-2-of-4")
    _said(["scontrol", "requeue", f"{job}_2"], slurm)  # its node is wanted back
    last = time.monotonic() + 10 * _PATIENCE_SECONDS
    _wait_for_tasks(job, slurm, last)
    assert "interrupted: " in (tmp_path / f"slurm-{job}_1.out").read_text()
    # scancel repeats itself for ten seconds while the array changes, and so may signal the task that has begun anew
    while (merged := call("merge", str(folder))).returncode == 4 and time.monotonic() < last:
        _said(["scontrol", "requeue", f"{job}_1,{job}_2"], slurm)
        _wait_for_tasks(job, slurm, last)
    assert merged.returncode == 0, merged.stdout
    assert call(*SWEEP, "-o", str(tmp_path / "one")).returncode == 0
    assert without_times(folder) == without_times(tmp_path / "one")


def _wait_for_tasks(job: str, slurm: dict[str, str], last: float) -> None:
    while (states := _said(["squeue", "--noheader", "--format=%T", f"--jobs={job}"], slurm)).strip():
        assert "FAILED" not in states and time.monotonic() < last
        time.sleep(0.2)
        for task in (1, 2):  # no minute of waiting in a test
            _said(["scontrol", "update", f"jobid={job}_{task}", "starttime=now"], slurm)


def _wait_for_units(folder: Path) -> None:
    records, last = folder / NAME, time.monotonic() + 10 * _PATIENCE_SECONDS
    while not records.exists() or not records.stat().st_size:
        assert time.monotonic() < last
        time.sleep(0.02)


def test_its_command_is_the_negtemp_that_wrote_it(tmp_path: Path) -> None:
    written = call(*SWEEP, "--emit-sbatch", "2", "-o", str(tmp_path / "run")).stdout
    assert f"\n{NEGTEMP} sweep " in written
