"""Sweeps killed, stopped, raced, moved, deleted, on full disks: the same command leaves every unit exactly once."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# each part has every kind once: one sequence at a time, then four; `hardening.faults` runs as many more as one likes
SEEDS = ("0:13", "13:26")


@pytest.mark.parametrize("seeds", SEEDS)
def test_whatever_happens_to_a_sweep_every_unit_is_there_once(tmp_path: Path, seeds: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hardening.faults", "--seeds", seeds], cwd=BENCHMARKS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    faults, wrong = done.stdout.splitlines()[-1].split()[:3:2]
    # three kinds need to mount a file system, which not everybody may
    assert int(faults) >= 10 and wrong == "0"
