"""What the figures were measured on, and by which versions."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from speed.models import ROOT


def describe(threads: int) -> dict[str, str]:
    """Processor, cores, memory, system, versions and date, by name."""
    return {
        "processor": _processor(), "cores": str(os.cpu_count()), "threads": str(threads), "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "numpy": version("numpy"), "llama-cpp-python": version("llama-cpp-python"),
        "negtemp": f"{version('negtemp')} ({_commit()})", "date": datetime.date.today().isoformat(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # macOS
        return platform.processor() or platform.machine()
    fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    family = f", family {fields['cpu family'].strip()}" if "cpu family" in fields else ""
    return fields.get("model name", platform.machine()).strip() + family


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no repository"
