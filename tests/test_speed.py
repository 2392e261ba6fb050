"""The benchmark's own parts: what upstream's programs print is read right, and rows outlive a run that is cut off."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from speed import programs, table, upstream
from speed.models import Job
from speed.programs import ChildError
from speed.rows import Rows

BENCHMARKS = Path(programs.__file__).parents[1]
JOB = Job(Path("any.gguf"), prompt_tokens=10, tokens=4, threads=1)

# as the two programs of this release print them, shortened
BENCH = """\
{"build_number": 9, "model_filename": "any.gguf", "n_gen": 8, "n_depth": 10, "avg_ns": 37460059, "avg_ts": 213.560796}
"""
BATCHED = """\

{"n_kv_max": 256, "pp": 10, "tg": 4, "pl": 4, "n_kv": 26, "t_tg": 0.045383, "speed_tg": 352.554932, "speed": 550.1}
{"n_kv_max": 256, "pp": 10, "tg": 1, "pl": 4, "n_kv": 14, "t_tg": 0.001383, "speed_tg": 280.5, "speed": 500.0}

llama_perf_context_print:        load time =      12.00 ms
"""


def test_the_speed_of_one_sequence_is_read_from_llama_bench() -> None:
    assert upstream.bench_speed(BENCH) == 213.560796


def test_the_speed_of_a_batch_is_that_of_the_job_and_not_of_the_step_after_it() -> None:
    assert upstream.batched_speed(BATCHED, JOB, 4) == 352.554932


@pytest.mark.parametrize("output", ["", "\nllama_perf_context_print: load time = 12.00 ms\n"])
def test_output_without_figures_is_a_failure_and_no_speed(output: str) -> None:
    with pytest.raises(ChildError, match="0 lines"):
        upstream.batched_speed(output, JOB, 4)


def test_the_cache_of_a_batch_holds_prompt_and_growth() -> None:
    command = list(map(str, upstream.batched_bench(Job(Path("m"), 10, 100, 2), 32)))
    assert int(command[command.index("-c") + 1]) >= 10 + 32 * 100


def test_a_child_tells_its_output_time_and_memory() -> None:
    """From a small process of its own: a child's peak counts what its parent held when it forked."""
    child = [sys.executable, "-c", "block = bytearray(100 << 20); print(len(block))"]
    code = f"from speed import programs; print(*programs.run({child!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=BENCHMARKS)
    output, seconds, peak_mib = done.stdout.split()
    assert output == str(100 << 20)
    assert 100 < float(peak_mib) < 300
    assert 0 < float(seconds) < 60


@pytest.mark.parametrize(
    ("code", "limit", "reason"),
    [
        ("raise SystemExit('no such thing')", 60, "status 1: no such thing"),
        ("import time; time.sleep(60)", 0.5, "longer than"),
    ],
    ids=["fails", "hangs"],
)
def test_a_child_that_fails_or_hangs_is_named_with_the_reason(code: str, limit: float, reason: str) -> None:
    with pytest.raises(ChildError, match=reason):
        programs.run([sys.executable, "-c", code], limit=limit)


def test_a_missing_program_is_a_failure_of_its_own_kind() -> None:
    with pytest.raises(ChildError, match="No such file"):
        programs.run(["/no/such/program"])


def failing() -> dict[str, float]:
    """A measurement that cannot be made."""
    raise ChildError("it broke")


def test_rows_are_measured_once_and_failures_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    key = "job", "tiny", "negtemp", 16, 0
    assert Rows(path).measure(key, failing).problem == "it broke"
    first = Rows(path).measure(key, lambda: {"seconds": 2.5})
    again = Rows(path).measure(key, lambda: {"seconds": 99.0})
    assert (first, again.seconds) == (again, 2.5)
    assert Rows(path).problems() == []


def test_a_ratio_is_the_median_of_the_rounds_that_have_both_sides(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl")
    for turn, speed in enumerate([90, 80, 50]):
        rows.measure(("one-sequence", "1b", "negtemp", 1, turn), partial(dict, tokens_per_second=speed))
        rows.measure(("one-sequence", "1b", "llama-bench", 1, turn), partial(dict, tokens_per_second=100))
    rows.measure(("one-sequence", "1b", "negtemp", 1, 3), lambda: {"tokens_per_second": 1})
    assert "| 0.800 | 3 |" in table.one_sequence(rows)


def test_a_report_names_the_machine_and_what_was_not_measured(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.jsonl")
    rows.measure(("peers", "tiny", "transformers", 1, 0), failing)
    report = table.render(rows, {"processor": "some processor"})
    assert report.startswith("Measured on: processor some processor.")
    assert "transformers, 1: it broke" in report
