"""What is run beside what. Sides take turns, A B A B, so that a warm or a busy moment hits them alike.

A part measures what is missing in the session's rows and returns nothing: `table` reads the rows. It leaves out growth
(`growth`), and the choice and order of parts (`generation`).
"""

import contextlib
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from negtemp.experiments.settings import PROMPT
from speed import programs, upstream
from speed.models import ROOT, WORK, Job, Workload
from speed.rows import Row
from speed.session import Session

PEERS = Path(__file__).with_name("peers.py")
TOGETHER = 16
PAIR = 2

_PROMPT_TOKENS = 8  # where negtemp has failed and cannot tell
_TRIES = 3
_HELP_RUNS, _BUILD_RUNS = 9, 3
_STARTS_WITHIN = 60.0  # a build that has something to do is no measurement


def warm_up(session: Session, workload: Workload) -> None:
    """Read the file into the page cache, and let negtemp find its batch widths, before anything is compared."""
    for sequences in sorted({1, PAIR, max(workload.widths)}):
        session.measure("warm-up", workload, "negtemp", sequences, 0, session.negtemp, workload.path, sequences, 2)


def one_sequence(session: Session, workload: Workload) -> None:
    """negtemp beside llama-bench."""
    tokens = workload.lone_tokens
    for turn in range(workload.rounds):
        ours = session.measure("one-sequence", workload, "negtemp", 1, turn, session.negtemp, workload.path, 1, tokens)
        session.measure(
            "one-sequence", workload, "negtemp at T=1", 1, turn, session.negtemp, workload.path, 1, tokens,
            temperatures=[1.0],
        )  # fmt: skip
        job = _job(session, workload, tokens, ours)
        session.measure("one-sequence", workload, "llama-bench", 1, turn, _bench, job)


def batched(session: Session, workload: Workload) -> None:
    """negtemp beside llama-batched-bench, one width at a time."""
    tokens = workload.batched_tokens
    for turn in range(max(1, workload.rounds // 2)):
        for width in workload.widths:
            ours = session.measure(
                "batched", workload, "negtemp", width, turn, session.negtemp, workload.path, width, tokens
            )
            job = _job(session, workload, tokens, ours)
            session.measure("batched", workload, "llama-batched-bench", width, turn, _batched_bench, job, width)


def job(session: Session, workload: Workload) -> None:
    """The whole job, loading and all: negtemp beside runs of the naive build, one after the other."""
    tokens = workload.lone_tokens
    for sequences, rounds in ((PAIR, 2), (TOGETHER, 1)):
        for turn in range(rounds):
            ours = session.measure(
                "job", workload, "negtemp", sequences, turn, session.negtemp, workload.path, sequences, tokens - 1
            )
            each = _job(session, workload, tokens, ours)
            runs = min(sequences, workload.naive_runs)
            session.measure("job", workload, "naive runs", sequences, turn, _naive, each, sequences, runs, workload)


def peers(session: Session, workload: Workload, python: Path) -> None:
    """One sequence by other libraries; transformers, in the environment of `python`, on the bundled model alone."""
    tokens = workload.lone_tokens
    for turn in range(max(1, workload.rounds // 2)):
        ours = session.measure("peers", workload, "negtemp", 1, turn, session.negtemp, workload.path, 1, tokens)
        prompt = ours.more.get("prompt_token_ids", [1])
        job = {"model": str(workload.path), "tokens": tokens, "threads": session.threads, "prompt_token_ids": prompt}
        here = Path(sys.executable)
        session.measure("peers", workload, "llama-cpp-python", 1, turn, _peer, here, "bindings", job)
        if workload.shape is None:
            session.measure("peers", workload, "transformers", 1, turn, _peer, python, "transformers", job)


def inside(session: Session, workload: Workload) -> None:
    """Where the time between two decodes goes: the draw, the C samplers in it, the statistics."""
    for sequences, tokens in ((1, workload.lone_tokens), (TOGETHER, workload.batched_tokens)):
        job = workload.path, sequences, tokens
        session.measure("inside", workload, "negtemp", sequences, 0, session.negtemp, *job, timed=True)


def store(session: Session, workload: Workload) -> None:
    """What a sweep's run directory costs: the time of its own functions within a sweep."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        job = workload.path, workload.units, workload.batched_tokens
        path = str(Path(folder) / "run")
        session.measure("store", workload, "negtemp", workload.units, 0, session.negtemp, *job, folder=path)


def start_up(session: Session, workload: Workload) -> None:
    """`negtemp --help`, and a build with nothing to do: the median of several."""
    command = [upstream.BIN / "negtemp", "--help"]
    session.measure("start-up", workload, "negtemp --help", 0, 0, _median, command, _HELP_RUNS)
    command = [ROOT / "scripts/build_llama.sh"]
    session.measure("start-up", workload, "build, nothing to do", 0, 0, _median, command, _BUILD_RUNS)


def _job(session: Session, workload: Workload, tokens: int, ours: Row) -> Job:
    """The same job for llama.cpp's programs; negtemp's row knows how many tokens the prompt has."""
    prompt_tokens = len(ours.more.get("prompt_token_ids", ())) or _PROMPT_TOKENS
    return Job(workload.path, prompt_tokens, tokens, session.threads)


def _figures(done: programs.Finished, speed: float | None) -> dict[str, Any]:
    return {"tokens_per_second": speed, "seconds": done.seconds, "peak_mib": done.peak_mib}


def _bench(job: Job) -> dict[str, Any]:
    done = programs.run(upstream.bench(job))
    return _figures(done, upstream.bench_speed(done.output))


def _batched_bench(job: Job, width: int) -> dict[str, Any]:
    """Again where the program's last lines were lost (`upstream.batched_bench`)."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(programs.ChildError):
            return _batched_bench_once(job, width)
    return _batched_bench_once(job, width)


def _batched_bench_once(job: Job, width: int) -> dict[str, Any]:
    done = programs.run(upstream.batched_bench(job, width))
    return _figures(done, upstream.batched_speed(done.output, job, width))


def _naive(job: Job, sequences: int, runs: int, workload: Workload) -> dict[str, Any]:
    """Half of the runs above zero, half below; the seconds of all sequences, from those of `runs` of them."""
    may_end = workload.shape is None
    commands = [
        upstream.completion(job, PROMPT, 0.001 if seed % 2 else -0.001, seed, may_end=may_end) for seed in range(runs)
    ]
    finished = [programs.run(command) for command in commands]
    seconds = sum(each.seconds for each in finished) * sequences / runs
    return {"seconds": seconds, "peak_mib": max(each.peak_mib for each in finished), "more": {"runs": runs}}


def _peer(python: Path, name: str, job: dict[str, Any]) -> dict[str, Any]:
    done = programs.run([python, PEERS, name, json.dumps(job)])
    figures = json.loads(done.output)
    return _figures(done, figures["tokens"] / figures["seconds"])


def _median(command: list[object], times: int) -> dict[str, Any]:
    return {"seconds": statistics.median(programs.run(command, _STARTS_WITHIN).seconds for _ in range(times))}
