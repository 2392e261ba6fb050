"""Writes the token ids that one build of llama.cpp draws through one front end, a JSON object a line.

    python scripts/conformance_tokens.py FRONT_END BIN

FRONT_END is `bindings` (llama_cpp.Llama, whichever Python finds), `server` or `completion` (llama-server and
llama-completion in the folder BIN). The cases are 200 prompts, each at five temperatures from 0 up, with every filter
off and with upstream's defaults and a penalty on; and, as a control, a few below zero, where a stock build must differ
from a patched one. Each case has a seed of its own. One sequence is decoded at a time, on one thread, so that no batch
moves the last bits. `scripts/conformance.sh` calls it for both builds, and `conformance_compare.py` compares.
"""

import dataclasses
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from negtemp.model import model_file
from negtemp.server import Address, Server

TEXT = Path(__file__).with_name("tiny_model") / "temperature.txt"
PROMPTS, TOKENS, CONTEXT = 200, 16, 512
TEMPERATURES = (0.0, 0.001, 0.7, 1.0, 1.5)
CONTROLS, BELOW_ZERO = 20, -0.001
OFF = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
ON = {"top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1}


@dataclasses.dataclass(frozen=True)
class Case:
    """One generation."""

    prompt: str
    temperature: float
    filters: dict[str, float]
    seed: int


def prompts() -> list[str]:
    """200 stretches of 1 to 16 words of our own text, always the same."""
    words, pick = TEXT.read_text(encoding="utf-8").split(), random.Random(1)
    starts = [pick.randrange(len(words)) for _ in range(PROMPTS)]
    return [" ".join(words[start : start + pick.randint(1, 16)]) for start in starts]


def cases() -> list[Case]:
    """Every prompt at every temperature and filter, and the controls."""
    above = [(p, t, f) for p in prompts() for t in TEMPERATURES for f in (OFF, ON)]
    below = [(p, BELOW_ZERO, OFF) for p in prompts()[:CONTROLS]]
    return [Case(*parts, seed) for seed, parts in enumerate(above + below, start=1)]


def through_bindings(asked: list[Case]) -> Iterator[list[int]]:
    """By calling a Llama, as its users do; the ids are those that it draws on its way to the text."""
    import llama_cpp

    drawn: list[int] = []

    class Recording(llama_cpp.Llama):  # type: ignore[misc]
        def generate(self, *args: Any, **options: Any) -> Iterator[int]:
            for token in super().generate(*args, **options):
                drawn.append(token)
                yield token

    llama = Recording(str(model_file.bundled()), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False)
    for case in asked:
        drawn.clear()
        llama(case.prompt, temperature=case.temperature, seed=case.seed, max_tokens=TOKENS, **case.filters)
        yield list(drawn)


def through_server(folder: Path, asked: list[Case]) -> Iterator[list[int]]:
    """By one request after the other to a server with one slot that keeps no prompt."""
    options = ["--parallel", "1", "--ctx-size", str(CONTEXT), "--threads", "1", "--no-webui"]
    with Server(model_file.bundled(), Address(port=0), options, program=folder / "llama-server") as server:
        server.wait_until_ready()
        for case in asked:
            body = {"prompt": case.prompt, "temperature": case.temperature, "seed": case.seed, "n_predict": TOKENS,
                    "return_tokens": True, "cache_prompt": False, **case.filters}  # fmt: skip
            yield server.ask("completion", body)["tokens"]


def through_completion(folder: Path, asked: list[Case]) -> Iterator[list[int]]:
    """By a process a case, one on each processor."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(_complete, folder / "llama-completion", Path(scratch)), asked)


def _complete(program: Path, scratch: Path, case: Case) -> list[int]:
    """The token ids that llama-completion leaves in a prompt cache: the prompt's, then those it drew."""
    cache = scratch / str(case.seed)
    filters = [part for name, value in case.filters.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    fixed = ["-no-cnv", "--no-warmup", "--threads", "1", "--ctx-size", str(CONTEXT), "--n-predict", str(TOKENS)]
    what = ["--model", str(model_file.bundled()), "--prompt", case.prompt, "--temp", str(case.temperature)]
    kept = ["--seed", str(case.seed), "--prompt-cache", str(cache), "--prompt-cache-all"]
    subprocess.run(
        [str(program), *fixed, *what, *kept, *filters], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    _magic, _version, count = struct.unpack_from("<III", data := cache.read_bytes())
    cache.unlink()
    return list(struct.unpack_from(f"<{count}i", data, 12))


FRONT_ENDS: dict[str, Callable[[Path, list[Case]], Iterator[list[int]]]] = {
    "bindings": lambda _, asked: through_bindings(asked),
    "server": through_server,
    "completion": through_completion,
}


def main(front_end: str, folder: str) -> None:
    """Write a line for each case."""
    asked = cases()
    for case, ids in zip(asked, FRONT_ENDS[front_end](Path(folder), asked), strict=True):
        print(json.dumps({**dataclasses.asdict(case), "token_ids": ids}))


if __name__ == "__main__":
    main(*sys.argv[1:])
