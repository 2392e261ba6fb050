"""One child process to its end: what it printed, how long it took, how much memory it held at most.

Peak memory is the resident set, pages of a mapped model file included, as the kernel counts it for that one process;
what this process held when it forked counts too, so the caller must be small.

Source: getrusage(2), `ru_maxrss`, by way of wait4(2).
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Finished(NamedTuple):
    """The output of a child that succeeded, its wall-clock seconds and its peak memory in MiB."""

    output: str
    seconds: float
    peak_mib: float


class ChildError(Exception):
    """A child failed; the text says which and why, in a line."""


def run(command: Sequence[object], limit: float = 600.0) -> Finished:
    """Run a command to its end. Raises ChildError where it is missing, fails or takes longer than `limit` seconds."""
    words = [str(word) for word in command]
    name = Path(words[0]).name
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        except OSError as error:
            raise ChildError(f"{name}: {error.strerror}") from error
        timer = threading.Timer(limit, child.terminate)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)  # it is waited for already
        output.seek(0), errors.seek(0)
        if seconds > limit:
            raise ChildError(f"{name} took longer than {limit:.0f} s")
        if child.returncode:
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise ChildError(f"{name} ended with status {child.returncode}: {lines[-1] if lines else 'no reason'}")
        text = output.read().decode("utf-8", "replace")
    return Finished(text, seconds, usage.ru_maxrss * _RSS_UNIT / 2**20)
