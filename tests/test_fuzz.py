"""Commands on damaged model files: refused in one line or read, never a traceback, a signal, a minute or a gigabyte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hardening.gguf_bytes import layout
from hardening.mutations import Damaged
from serving import require_server

from negtemp.model import model_file

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# in parts, so that processes side by side share them; `hardening.fuzz` runs as many more as one has time for
SEEDS = tuple(f"{first}:{first + 20}" for first in range(0, 200, 20))


def test_a_seed_names_the_same_damage_for_good(tmp_path: Path) -> None:
    damaged, one, other = Damaged(model_file.bundled()), tmp_path / "one", tmp_path / "other"
    for seed in range(20):
        assert damaged.write(seed, one) == damaged.write(seed, other)
        assert one.read_bytes() == other.read_bytes()
        assert one.read_bytes() != model_file.bundled().read_bytes()


def test_the_layout_finds_every_byte_of_the_head() -> None:
    head = layout(model_file.bundled())
    spans = [*head.metadata, *head.tensors]
    assert [span.start for span in spans[1:]] == [span.stop for span in spans[:-1]]
    assert 0 <= head.data - spans[-1].stop < 32


def fuzz(folder: Path, *arguments: str, module: str = "hardening.fuzz") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"GGML_NO_BACKTRACE": "1", "XDG_CACHE_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=BENCHMARKS, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("seeds", SEEDS)
def test_no_damage_ends_in_anything_but_one_line(tmp_path: Path, seeds: str) -> None:
    done = fuzz(tmp_path, "--seeds", seeds)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 cases" in done.stdout


def test_nor_does_damage_to_a_part_of_a_split_model(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "--split", "--seeds", "0:20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 cases" in done.stdout


def test_nor_a_server_of_a_damaged_model(tmp_path: Path) -> None:
    require_server()
    done = fuzz(tmp_path, "--seeds", "0:20", module="hardening.fuzz_serve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 cases" in done.stdout


# a byte that has no token, met by `audit`, `repeat` and `centroid`; weights stored as whole numbers
@pytest.mark.parametrize("seed", [647, 2445, 2802, 2695])
def test_what_a_fuzz_of_five_thousand_found_stays_mended(tmp_path: Path, seed: int) -> None:
    done = fuzz(tmp_path, "--seeds", f"{seed}:{seed + 1}")
    assert done.returncode == 0, done.stdout + done.stderr
