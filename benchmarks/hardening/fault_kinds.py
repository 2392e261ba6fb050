"""What can happen to a sweep: each kind harms one that is at work, and says how that sitting and others must end.

Each takes the ground and a generator of random numbers, and returns how many units were on the disk when it struck.
It raises Wrong where a sitting ends otherwise than it should. It leaves the ground so that the same command can go on.
Kinds that mount file systems need the right to; `faults` gives them a namespace of their own for that.
"""

import datetime
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hardening.sweep_under_fault import AT_ONCE, UNITS, Ground, Sitting
from negtemp.model import fingerprint
from negtemp.runs import provenance

Kind = Callable[[Ground, Random], int]

_GONE = "was moved, replaced or deleted"
_BLOCK = 4096


def _held(ground: Ground, random: Random) -> tuple[Sitting, int]:
    """A sitting that is stopped after so many units, none to two thirds; anew where it was all but done by then."""
    units = random.randrange(UNITS * 2 // 3)
    while True:
        sitting = ground.start()
        held = sitting.hold(units)
        if held < UNITS - AT_ONCE - 1:  # there is a unit that has not begun
            return sitting, held
        ground.close()
        shutil.rmtree(ground.run)


def _killed(ground: Ground, random: Random) -> int:
    sitting, held = _held(ground, random)
    sitting.send(signal.SIGKILL)
    sitting.end().must_be(-signal.SIGKILL)
    return held


def kill(ground: Ground, random: Random) -> int:
    """kill -9, up to three times one after the other."""
    held = _killed(ground, random)
    for _ in range(random.randrange(3)):
        sitting = ground.start()
        held = sitting.hold(min(held + random.randrange(5), UNITS - 1))
        sitting.send(signal.SIGKILL)
        sitting.end().must_be(-signal.SIGKILL, 0)  # it may be done by then
    return held


def interrupt(ground: Ground, random: Random) -> int:
    """Ctrl-C, or the signal that a batch system sends."""
    sitting, held = _held(ground, random)
    sitting.send(random.choice((signal.SIGINT, signal.SIGTERM)))
    sitting.go_on().must_be(130, saying="go on with")
    return held


def power_loss(ground: Ground, random: Random) -> int:
    """kill -9, and the end of the file cut anywhere, half written, or turned to NULs."""
    held = _killed(ground, random)
    data = ground.records.read_bytes()
    kept = data[: random.randrange(len(data) // 2, len(data) + 1)]
    lost = data[len(kept) :] or b'{"kind": "completion", "unit": "'
    ground.records.write_bytes(kept + random.choice((b"", lost[: len(lost) // 2], bytes(len(lost)))))
    return held


def stop(ground: Ground, random: Random) -> int:
    """SIGSTOP for a while, as a laptop's lid or a scheduler would."""
    sitting, held = _held(ground, random)
    time.sleep(ground.stopped_seconds)
    sitting.go_on().must_be(0)
    return held


def second_writer(ground: Ground, random: Random) -> int:
    """The same command again while one is at work, or several at once."""
    sitting, held = _held(ground, random)
    others = [ground.start() for _ in range(random.randrange(1, 4))]
    for other in others:
        other.end().must_be(1, saying=f"is being written by process {sitting.process}")
    sitting.go_on().must_be(0)
    return held


def race(ground: Ground, random: Random) -> int:
    """Two to four writers that begin at the same time."""
    endings = [sitting.end() for sitting in [ground.start() for _ in range(random.randrange(2, 5))]]
    for ending in endings:
        # one that comes last may find it done
        ending.must_be(0, 1, saying="" if ending.status == 0 else "is being written by")
    min(endings, key=lambda ending: ending.status).must_be(0)
    return 0


def moved(ground: Ground, random: Random) -> int:
    """The run directory renamed while it is written, then named as before."""
    sitting, held = _held(ground, random)
    elsewhere = ground.folder / "elsewhere"
    ground.run.rename(elsewhere)
    sitting.go_on().must_be(1, saying=_GONE)
    elsewhere.rename(ground.run)
    return held


def replaced(ground: Ground, random: Random) -> int:
    """The records replaced by a copy under the same name, as a sync program or a network file system does."""
    sitting, held = _held(ground, random)
    copy = ground.folder / "copy"
    shutil.copy(ground.records, copy)
    copy.rename(ground.records)
    sitting.go_on().must_be(1, saying=_GONE)
    return held


def deleted(ground: Ground, random: Random) -> int:
    """The run directory, or only its records, deleted while it is written."""
    sitting, held = _held(ground, random)
    if random.random() < 0.5:
        shutil.rmtree(ground.run)
    else:
        ground.records.unlink()
    sitting.go_on().must_be(1, saying=_GONE)
    return held


def clock_back(ground: Ground, random: Random) -> int:
    """kill -9, then a sitting whose every reading of the clock is earlier than the one before, by up to ten years."""
    held = _killed(ground, random)
    step = random.choice((1e-6, 1.0, 3600.0, 3.15e8 / 50))
    ground.start(lambda: _run_clock_backwards(step)).end().must_be(0)
    return held


def _run_clock_backwards(step: float) -> None:
    """Every clock that negtemp reads in this process: `step` seconds earlier each time, from now on."""
    behind = [0.0]
    true_time = time.time

    def earlier() -> float:
        behind[0] += step
        return true_time() - behind[0]

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Earlier":
            return cls.fromtimestamp(earlier(), tz)

    modules: dict[str, Any] = {"fingerprint": fingerprint, "provenance": provenance}
    modules["fingerprint"].time.time_ns = lambda: int(earlier() * 1e9)
    modules["provenance"].datetime.datetime = Earlier


def full_disk(ground: Ground, random: Random) -> int:
    """A disk that another program fills, to the last block or all but a few."""
    _mount(ground.folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    sitting, held = _held(ground, random)
    filler = ground.folder / "filler"
    _fill(filler, spared=random.randrange(3) * _BLOCK)
    ending = sitting.go_on()
    # with a block or two to spare the rest may fit
    ending.must_be(0, 1, saying="cannot write to" if ending.status else "")
    filler.unlink()
    return held


def full_from_the_start(ground: Ground, random: Random) -> int:
    """A disk that is full before anything is written."""
    _mount(ground.folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    filler = ground.folder / "filler"
    _fill(filler, spared=random.randrange(4) * _BLOCK)
    ground.start().end().must_be(1, saying="cannot write to")
    filler.unlink()
    return 0


def _fill(filler: Path, spared: int) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(_BLOCK))
        except OSError:
            file.truncate(file.tell() // _BLOCK * _BLOCK - spared)


def read_only(ground: Ground, random: Random) -> int:
    """kill -9, and a file system that is read-only when the sweep is begun again."""
    _mount(ground.folder, "-t", "tmpfs", "tmpfs")
    held = _killed(ground, random)
    _mount(ground.folder, "-o", "remount,ro")
    ground.start().end().must_be(1, saying="cannot write to")
    _mount(ground.folder, "-o", "remount,rw")
    return held


def _mount(folder: Path, *arguments: str) -> None:
    subprocess.run(["mount", *arguments, str(folder)], check=True, capture_output=True)


KINDS: tuple[Kind, ...] = (
    kill, interrupt, power_loss, stop, second_writer, race, moved, replaced, deleted, clock_back,
    full_disk, full_from_the_start, read_only,
)  # fmt: skip
MOUNTING = (full_disk, full_from_the_start, read_only)
