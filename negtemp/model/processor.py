"""The instructions that a library was compiled for, beside those of the processor that is to run it.

ggml is compiled for the very processor it is built on, unless with `--portable`. On an older one (a node of a cluster
that shares a home folder, an image that was built elsewhere) the first missing instruction would end the process by a
signal, without a word. The build writes down what it may use (scripts/build/instructions.py).

It leaves out every system but Linux, and processors other than x86: there nothing is known, and nothing missing.
"""

from collections.abc import Iterable
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def missing(instructions: Iterable[str], cpuinfo: Path = _CPUINFO) -> list[str]:
    """Those of `instructions` (`avx512vnni`) that this processor lacks; none where the system does not tell."""
    known = _known(cpuinfo)
    return sorted(set(instructions) - known) if known else []


def _known(cpuinfo: Path) -> set[str]:
    """What the first processor has: Linux names those that every one of them has."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return {flag.replace("_", "") for flag in flags.partition(":")[2].split()}
