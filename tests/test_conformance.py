"""The comparison of the stock build with the patched one sees a difference where there is one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "conformance_compare.py"
STOCK = [(0.0, [1, 2, 3]), (1.5, [4, 5]), (-0.001, [1, 2])]


def compared(folder: Path, patched: list[tuple[float, list[int]]]) -> "subprocess.CompletedProcess[str]":
    """One comparison of the stock cases above with the given ones."""
    for name, cases in (("stock", STOCK), ("patched", patched)):
        lines = [json.dumps({"prompt": "p", "temperature": t, "seed": 1, "token_ids": ids}) for t, ids in cases]
        (folder / name).write_text("\n".join(lines))
    command = [sys.executable, str(SCRIPT), "server", str(folder / "stock"), str(folder / "patched")]
    return subprocess.run(command, capture_output=True, text=True)


def test_equal_tokens_above_zero_and_others_below_pass(tmp_path: Path) -> None:
    done = compared(tmp_path, [*STOCK[:2], (-0.001, [9, 9])])
    assert done.returncode == 0
    assert "2 cases at T >= 0, 5 tokens: 0 differ" in done.stdout


@pytest.mark.parametrize(
    "patched",
    [
        pytest.param([STOCK[0], (1.5, [4, 6]), (-0.001, [9, 9])], id="a token above zero differs"),
        pytest.param(STOCK, id="nothing differs below zero: one build was compared with itself"),
    ],
)
def test_anything_else_fails(tmp_path: Path, patched: list[tuple[float, list[int]]]) -> None:
    assert compared(tmp_path, patched).returncode == 1
