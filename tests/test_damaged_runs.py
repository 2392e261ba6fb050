"""Saved runs that were damaged: every command that reads one ends in 0 or in one line, never in a traceback."""

import subprocess
import sys

import pytest
from build_parts import ROOT

from negtemp.errors import RecordError
from negtemp.records import from_line
from negtemp.runs.reading import load_run

SAVED = ROOT / "tests" / "saved"


@pytest.mark.parametrize("seeds", ["0:150", "150:300"])
def test_no_damage_to_a_run_ends_in_anything_but_one_line(seeds: str) -> None:
    pytest.importorskip("jinja2")
    done = subprocess.run(
        [sys.executable, "-m", "hardening.damaged_runs", "--seeds", seeds], cwd=ROOT / "benchmarks",
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 cases" in done.stdout


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_setting_that_is_no_number_of_json_is_no_record(number: str) -> None:
    line = (SAVED / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert from_line(line) == load_run(SAVED / "run")[0]
    with pytest.raises(RecordError):
        from_line(line.replace('"n_predict":', f'"other": {number}, "n_predict":'))
