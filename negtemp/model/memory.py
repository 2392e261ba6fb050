"""How much memory a KV cache takes, and how much there is.

The cache is counted as llama.cpp lays it out for attention: keys and values of every layer, 16 bits each; models with
sliding windows or recurrent states take less. It leaves out compute buffers, some tens of megabytes.
"""

import os

from negtemp.model.loaded import Model

_BYTES = 2


def cache(model: Model, cells: int) -> int:
    """Bytes of a KV cache of so many cells."""
    return cells * model.layers * model.key_value_width * 2 * _BYTES


def free() -> int:
    """Bytes that this machine can still give, as Linux counts them; elsewhere half of what it has."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
