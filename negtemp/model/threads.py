"""How many threads to compute with, unless told: one for each physical core that the process may use."""

import os
from pathlib import Path


def default_threads() -> int:
    """Physical cores that this process may use, at most OMP_NUM_THREADS of them where that is set.

    A second thread on one core only slows llama.cpp down.
    """
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(_cores(), int(wished)) if wished.isdecimal() and int(wished) else _cores()


def _cores() -> int:
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # no such call on macOS
        return os.cpu_count() or 1
    return max(1, len({_siblings(cpu) for cpu in allowed}))


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)
