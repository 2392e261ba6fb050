"""`negtemp serve` on damaged models: it ends in one line with status 1, or serves and ends when told to.

    python -m hardening.fuzz_serve --seeds 0:200 --report serve.jsonl

The seeds are those of `fuzz`. The model is read twice, by negtemp and by llama-server, a process of its own.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from hardening.forked import LIMIT_SECONDS
from hardening.mutations import Damaged
from hardening.seeds import seed_options

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
_READY = b"base_url="


def run(seeds: Sequence[int], model: Path) -> Iterator[dict[str, object]]:
    """A record of each seed: what was done, how it ended, what was wrong."""
    damaged = Damaged(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.gguf")
        for seed in seeds:
            damage = damaged.write(seed, path)
            status, served, said = _serve(path)
            yield {
                "seed": seed, "damage": damage, "status": status, "served": served, "said": said[-400:],
                "wrong": _wrong(status, served, said),
            }  # fmt: skip


def _serve(path: Path) -> tuple[int, bool, str]:
    """Its exit status, whether it came to serve, and what it said."""
    command = [NEGTEMP, "serve", "-m", str(path), "--port", "0", "-t", "1", "--ready-timeout", str(LIMIT_SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        served = _until_ready(process.stdout.fileno())
        if served:
            process.terminate()  # SIGINT is ignored by what a shell has put into the background
        try:
            said = process.communicate(timeout=2 * LIMIT_SECONDS)[1].decode("utf-8", "backslashreplace")
        except subprocess.TimeoutExpired:
            process.kill()
            said = "it does not end"
        return process.wait(), served, said


def _until_ready(output: int) -> bool:
    """Whether the lines that say how to reach it came before the end."""
    seen, deadline = b"", time.monotonic() + 2 * LIMIT_SECONDS
    while _READY not in seen and time.monotonic() < deadline:
        if select.select([output], [], [], 1)[0]:
            part = os.read(output, 1 << 16)
            if not part:
                return False
            seen += part
    return _READY in seen


def _wrong(status: int, served: bool, said: str) -> str:
    """What is not as promised about an ending."""
    if "Traceback" in said:
        return "a traceback"
    if served:
        return "" if status == 0 else f"status {status} after it served"
    last = said.splitlines()[-1] if said else ""
    return "" if status in (1, 5) and last.startswith("negtemp: ") else f"status {status}: {last}"


def main() -> None:
    """Run the seeds, write a line for each, and say what went wrong."""
    given = seed_options(__doc__).parse_args()
    endings: Counter[str] = Counter()
    with (given.report or Path(os.devnull)).open("w", encoding="utf-8") as report:
        for case in run(given.seeds, given.model):
            report.write(json.dumps(case) + "\n")
            report.flush()
            endings["wrong" if case["wrong"] else "served" if case["served"] else "refused"] += 1
            if case["wrong"]:
                print(f"seed {case['seed']}: {case['wrong']} ({case['damage']})")
    print(f"{endings.total()} cases: {dict(endings)}")
    sys.exit(bool(endings["wrong"]))


if __name__ == "__main__":
    main()
