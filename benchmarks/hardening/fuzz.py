"""Every command on damaged models: how each ended, how long it took, how much memory it had.

    python -m hardening.fuzz --seeds 0:5000 --report fuzz.jsonl
    python -m hardening.fuzz --seeds 0:500 --split       one of the two files of a split model is damaged

A seed names a mutation (`mutations`) and, by its remainder, a command. What a user may see is a status of 0 or 1 (4
where a sweep's units fail) and one line that says why; what must never be is a traceback, a signal, a core, a minute of
work without an end, or memory of more than twice the file and a GiB. The minute is of the processor, so that a busy
machine finds no more than an idle one.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hardening import forked
from hardening.forked import LIMIT_SECONDS
from hardening.mutations import Damaged
from hardening.seeds import seed_options
from hardening.splitting import split

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "-n", "3", "--ignore-eos"),
    ("compare", "-n", "2", "--json"),
    ("spectrum", "--json"),
    ("centroid",),
    ("audit", "--candidates", "4", "--json"),
    ("sweep", "--betas=-1,0,1", "-n", "2", "-o", "run"),
    ("repeat", "--ids", "300", "--samples", "1", "--controls", "1"),
    ("run", "-p", "a b", "-n", "2", "--mask", "byte,control", "--json", "--repeat-penalty", "1.1"),
    ("audit", "--no-verify"),
)
MEMORY = 1 << 30
_ALLOWED = {0, 1, 4}


@dataclass(frozen=True)
class Case:
    """How one command ended on one damaged file. `wrong` is empty where all is as it should be."""

    seed: int
    command: str
    damage: str
    status: int
    signal: int
    seconds: float
    peak_bytes: int
    said: str
    wrong: str


def run(seeds: Sequence[int], parts: Sequence[Path]) -> Iterator[Case]:
    """The cases of these seeds, one after the other, on the files of a model."""
    forked.prepare()
    damaged = [Damaged(part) for part in parts]
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix="negtemp-fuzz-"))
        try:
            for part in parts:
                shutil.copy(part, folder)
            which = seed // len(COMMANDS) % len(parts)
            said = damaged[which].write(seed, folder / parts[which].name)
            yield _case(seed, said, COMMANDS[seed % len(COMMANDS)], folder, parts[0].name)
        finally:
            shutil.rmtree(folder)


def _case(seed: int, damage: str, command: tuple[str, ...], folder: Path, model: str) -> Case:
    size = sum(part.stat().st_size for part in folder.iterdir())
    started = time.monotonic()
    child = forked.start([command[0], "-m", model, "-t", "1", *command[1:]], folder)
    _, ended, usage = os.wait4(child, 0)
    seconds = time.monotonic() - started
    status = os.waitstatus_to_exitcode(ended)
    said = (folder / "stderr").read_bytes().decode("utf-8", "backslashreplace")
    peak = usage.ru_maxrss * 1024
    wrong = _wrong(status, os.WCOREDUMP(ended), said, peak - _baseline(), size)
    return Case(seed, command[0], damage, max(status, 0), max(-status, 0), round(seconds, 3), peak, said[-400:], wrong)


def _baseline() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _wrong(status: int, core: bool, said: str, grown: int, size: int) -> str:
    """What is not as promised about an ending."""
    if -status in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL):
        return f"no end after {LIMIT_SECONDS} s"
    if status < 0 or core:
        return f"signal {-status}"
    if status not in _ALLOWED:
        return f"status {status}"
    if "Traceback" in said or "Error:" in said:
        return "a traceback"
    complaints = [line for line in said.splitlines() if line.startswith("negtemp: ")]
    if status == 1 and (len(complaints) != 1 or not said.splitlines()[-1].startswith("negtemp: ")):
        return f"{len(complaints)} lines of reason"
    return f"{grown >> 20} MiB for a file of {size >> 20}" if grown > 2 * size + MEMORY else ""


def main() -> None:
    """Run the seeds, write a line for each, and say what went wrong."""
    parser = seed_options(__doc__)
    parser.add_argument("--split", action="store_true", help="damage one of the two files of a split model")
    given = parser.parse_args()
    cases = []
    with (
        tempfile.TemporaryDirectory() as whole,
        (given.report or Path(os.devnull)).open("w", encoding="utf-8") as report,
    ):
        parts = split(given.model, Path(whole)) if given.split else [given.model]
        for case in run(given.seeds, parts):
            cases.append(case)
            report.write(json.dumps(asdict(case)) + "\n")
            report.flush()
            if case.wrong:
                print(f"seed {case.seed} {case.command}: {case.wrong} ({case.damage}): {case.said.strip()[-200:]}")
    endings = Counter("load" if case.status in (0, 4) else "are refused" for case in cases)
    wrong, peak = sum(bool(case.wrong) for case in cases), max(case.peak_bytes for case in cases) >> 20
    print(f"{len(cases)} cases: {dict(endings)}, {wrong} wrong; most memory {peak} MiB")
    sys.exit(any(case.wrong for case in cases))


if __name__ == "__main__":
    main()
