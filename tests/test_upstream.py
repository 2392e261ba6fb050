"""Upstream's own tests of the samplers, compiled from the patched tree with cases below zero beside those above."""

import os
import subprocess
from pathlib import Path

import pytest
from models import spm_vocabulary, write_llama

PROGRAMS = Path(__file__).parents[1] / "build" / "tests"


def program(name: str) -> Path:
    """A test program of upstream's; where it must be there, its absence is a failure."""
    path = PROGRAMS / name
    if not path.exists():
        assert not os.environ.get("NEGTEMP_REQUIRE_TOOLS"), f"{name} is not built"
        pytest.skip("not built: run scripts/build_llama.sh --tools")
    return path


def test_upstreams_sampler_tests_pass() -> None:
    done = subprocess.run([program("test-sampling")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def test_upstreams_device_sampler_tests_pass(tmp_path: Path) -> None:
    """With sampler graphs attached, on the CPU backend unless NEGTEMP_TEST_DEVICE says gpu. The test names token 3834,
    so there must be that many.
    """
    vocabulary = spm_vocabulary([b"w%d" % number for number in range(4000)])
    model = write_llama(tmp_path / "random.gguf", vocabulary, context=512, scale=0.1)
    device = os.environ.get("NEGTEMP_TEST_DEVICE", "cpu")
    done = subprocess.run(
        [program("test-backend-sampler"), "--model", model, "--device", device],
        capture_output=True, text=True, errors="replace", timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert "temp sampling test PASSED" in done.stdout
