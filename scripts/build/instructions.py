"""Prints the processor's instructions that a compilation may use, from the compiler's own macros on standard input.

Only those that Linux names as well, and only of the kinds that a compiler puts into ordinary code; ggml asks for AMX
itself, at run time. negtemp/model/processor.py reads them, in the same spelling.
"""

import json
import re
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
_MACRO = re.compile(r"#define __((?:AVX|BMI|F16C|FMA|SSE|SSSE)\w*?)__ 1")


def instructions(macros: str, flags: set[str]) -> list[str]:
    """Names of macros among the flags, both in small letters without underscores."""
    named = {name.lower().replace("_", "") for name in _MACRO.findall(macros)}
    return sorted(named & {flag.replace("_", "") for flag in flags})


if __name__ == "__main__":
    known = CPUINFO.read_text(encoding="ascii", errors="replace") if CPUINFO.is_file() else ""
    print(json.dumps(instructions(sys.stdin.read(), set(known.split()))))
