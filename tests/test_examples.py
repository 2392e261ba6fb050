"""The examples run as they stand, on the bundled model, and what they print is what the library computes."""

import math
import re
import subprocess
import sys
from pathlib import Path

import negtemp
from negtemp.records import Spectrum

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_below_zero_runs_and_tells_the_truth(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "below_zero.py")], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    half = re.search(r"S = ln\(V\)/2 at beta = (\S+) and (\S+)", done.stdout)
    assert half
    with negtemp.load() as model:
        (summary,) = (r for r in model.spectrum("Temperature is a concept", betas=[0.0]) if isinstance(r, Spectrum))
    for shown, sign in zip(half.groups(), (1, -1), strict=True):
        beta = summary.half_entropy.of(sign)
        assert beta is not None and math.isclose(float(shown), beta, rel_tol=5e-3)
    assert (tmp_path / "below_zero.png").read_bytes().startswith(b"\x89PNG")
