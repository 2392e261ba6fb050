"""llama.cpp's own programs from the same tree: the commands that match a job of negtemp's, and their output read.

A job is a prompt of some tokens, and sequences that each grow by as many. llama-bench and llama-batched-bench decode
random tokens and draw nothing; llama-completion is the naive build (`build_naive.sh`), every filter off, as in 2023.
"""

import json
import sys
from pathlib import Path

from speed.models import ROOT, Job
from speed.programs import ChildError

BIN = Path(sys.executable).parent
NAIVE = ROOT / "build/naive/llama-completion"

_CELLS_GRAIN = 256


def bench(job: Job) -> list[object]:
    """llama-bench: one sequence, the job's tokens after a prompt of its length."""
    shape = ["-p", 0, "-n", job.tokens, "-d", job.prompt_tokens, "-r", 1]
    return [BIN / "llama-bench", "-m", job.model, *shape, "-t", job.threads, "-o", "jsonl"]


def batched_bench(job: Job, width: int) -> list[object]:
    """llama-batched-bench: one shared prompt, a unified cache, and then one step more.

    The program may end before its log has written the last line (llama.cpp #22142), so that is one of no use.
    """
    cells = job.prompt_tokens + width * job.tokens
    shape = ["-npp", job.prompt_tokens, "-ntg", f"{job.tokens},1", "-npl", width, "-pps", "-kvu"]
    context = ["-c", -(-cells // _CELLS_GRAIN) * _CELLS_GRAIN, "-b", 512, "-ub", 512]
    program = BIN / "llama-batched-bench"
    return [program, "-m", job.model, *shape, *context, "-t", job.threads, "--output-format", "jsonl"]


def completion(job: Job, prompt: str, temperature: float, seed: int, *, may_end: bool) -> list[object]:
    """The naive llama-completion: one sequence, from loading the file to the last token.

    It turns every mask into +inf below zero, that of --ignore-eos as well, and then draws nonsense at no cost. So only
    a model that `may_end` by itself gets it; random weights go on anyway.
    """
    filters = ["--top-k", 0, "--top-p", 1, "--min-p", 0, "--repeat-penalty", 1, *(["--ignore-eos"] if may_end else [])]
    draw = ["--temp", temperature, "--seed", seed, "-n", job.tokens]
    shape = ["-c", max(_CELLS_GRAIN, job.prompt_tokens + job.tokens), "-t", job.threads]
    return [NAIVE, "-m", job.model, "-p", prompt, *draw, *filters, *shape, "-no-cnv", "--no-display-prompt"]


def bench_speed(output: str) -> float:
    """Tokens/s of the one test that llama-bench's JSON Lines hold. Raises ChildError where they do not."""
    return _only(_objects(output), "avg_ts")


def batched_speed(output: str, job: Job, width: int) -> float:
    """Tokens/s of generation, from llama-batched-bench's JSON Lines. Raises ChildError where they do not tell."""
    return _only([line for line in _objects(output) if (line["pl"], line["tg"]) == (width, job.tokens)], "speed_tg")


def _only(lines: list[dict[str, float]], figure: str) -> float:
    if len(lines) != 1:
        raise ChildError(f"{len(lines)} lines of figures, not one")
    return lines[0][figure]


def _objects(output: str) -> list[dict[str, float]]:
    """The lines that are JSON objects; the programs print others among them."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
