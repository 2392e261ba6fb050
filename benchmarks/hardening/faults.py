"""Faults under a running sweep, one for each seed: afterwards the same command must leave every unit exactly once.

    python -m hardening.faults --seeds 0:200 --report faults.jsonl

A seed names what happens (`fault_kinds`), after how many units, and whether one sequence is decoded at a time; then
every unit must be what an undisturbed sweep draws, to the last bit. Where the operating system allows it, all runs in a
mount namespace of its own, so that disks can be full and read-only; elsewhere those kinds are left out, and it says so.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from hardening import forked
from hardening.fault_kinds import KINDS, MOUNTING, Kind
from hardening.seeds import seed_options
from hardening.sweep_under_fault import Ground, Wrong

# set where this process is in a mount namespace of its own
_INSIDE = "NEGTEMP_FAULTS_INSIDE"


@dataclass(frozen=True)
class Case:
    """What one fault did: units on the disk when it struck, sittings until all were there; `wrong` is empty if well."""

    seed: int
    fault: str
    deterministic: bool
    held: int
    sittings: int
    wrong: str


def run(seeds: Sequence[int], kinds: Collection[Kind], model: Path, stopped_seconds: float) -> Iterator[Case]:
    """The cases of these seeds, one after the other."""
    forked.prepare()
    expected = {deterministic: _undisturbed(model, deterministic) for deterministic in (False, True)}
    for seed in seeds:
        kind = KINDS[seed % len(KINDS)]
        if kind in kinds:
            deterministic = seed // len(KINDS) % 2 == 0
            with _ground(model, deterministic, expected[deterministic]) as ground:
                ground.stopped_seconds = stopped_seconds
                yield _case(seed, kind, ground)


def _case(seed: int, kind: Kind, ground: Ground) -> Case:
    held, wrong = -1, ""
    try:
        held = kind(ground, Random(seed))
        ground.finish()
    except Wrong as found:
        wrong = str(found)
    return Case(seed, kind.__name__, ground.deterministic, held, ground.sittings, wrong)


def _undisturbed(model: Path, deterministic: bool) -> dict[str, Any]:
    """What a sweep to which nothing happens leaves."""
    with _ground(model, deterministic, {}) as ground:
        ground.start().end().must_be(0)
        return ground.units()


@contextlib.contextmanager
def _ground(model: Path, deterministic: bool, expected: dict[str, Any]) -> Iterator[Ground]:
    place = Path(tempfile.mkdtemp(prefix="negtemp-faults-"))
    ground = Ground(place / "ground", model, deterministic, expected)
    ground.folder.mkdir()
    try:
        yield ground
    finally:
        ground.close()
        if ground.folder.is_mount():
            subprocess.run(["umount", ground.folder], check=True)
        shutil.rmtree(place)


def _enter_namespace() -> None:
    """Become this program in a mount namespace of its own, as root there, where that is allowed."""
    enter = ["unshare", "--mount", "--propagation", "private", *(["--map-root-user"] if os.geteuid() else [])]
    try:
        allowed = subprocess.run([*enter, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if allowed:
        os.environ[_INSIDE] = "1"
        os.execvp(enter[0], [*enter, sys.executable, "-m", "hardening.faults", *sys.argv[1:]])


def _table(cases: Sequence[Case]) -> Iterator[str]:
    """A line for each kind."""
    for name in dict.fromkeys(case.fault for case in cases):
        those = [case for case in cases if case.fault == name]
        held = [case.held for case in those if case.held >= 0]
        wrong = sum(bool(case.wrong) for case in those)
        sittings = sum(case.sittings for case in those)
        yield f"{name:<20} {len(those):>4} faults, after {min(held, default=0)} to {max(held, default=0)} units, " + (
            f"{sittings} sittings, {wrong} wrong"
        )


def main() -> None:
    """Run the seeds, write a line for each, and say what went wrong."""
    parser = seed_options(__doc__)
    parser.add_argument("--stopped", type=float, default=0.5, metavar="SECONDS", help="how long SIGSTOP lasts")
    given = parser.parse_args()
    if _INSIDE not in os.environ:
        _enter_namespace()
    kinds = [kind for kind in KINDS if _INSIDE in os.environ or kind not in MOUNTING]
    cases = []
    with tempfile.TemporaryDirectory() as cache, (given.report or Path(os.devnull)).open("w") as report:
        os.environ["XDG_CACHE_HOME"] = cache
        for case in run(given.seeds, kinds, given.model.resolve(), given.stopped):
            cases.append(case)
            report.write(json.dumps(asdict(case)) + "\n")
            report.flush()
            if case.wrong:
                print(f"seed {case.seed} {case.fault} after {case.held} units: {case.wrong}")
    for line in _table(cases):
        print(line)
    left_out = f"; left out, since nothing can be mounted here: {len(given.seeds) - len(cases)}"
    wrong = sum(bool(case.wrong) for case in cases)
    print(f"{len(cases)} faults, {wrong} wrong{left_out if len(cases) < len(given.seeds) else ''}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
