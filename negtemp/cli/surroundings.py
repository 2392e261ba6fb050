"""What a shell, cron or a container hands down that must not change what a command says.

    COLUMNS, LINES    0 (as `docker exec` sets it), below any screen, huge or no number: as if unset
    descriptors       0, 1 or 2 closed: held by nothing, so that no file of a run takes its number and gets its output
    locale            one of ASCII, with Python's own UTF-8 mode switched off: Python is started again in that mode,
                      since names of files and prompts would be read in two encodings
    PYTHONWARNINGS    `error` makes libraries fail on what they only remark on: remarks are dropped

It leaves out colour, which rich decides by NO_COLOR and TERM, and proxies, which nothing here asks for.
"""

import os
import sys
import warnings
from collections.abc import MutableMapping

# narrower, no table can be read; wider is no screen
_NARROWEST, _WIDEST = 10, 10_000


def settle() -> None:
    """Make them as the program expects. May start the program anew, and not return."""
    hold_descriptors()
    drop_impossible_sizes(os.environ)
    if any(option.startswith("error") for option in sys.warnoptions):
        warnings.simplefilter("ignore")
    if not sys.flags.utf8_mode and sys.getfilesystemencoding() == "ascii":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})


def hold_descriptors() -> None:
    """Open what is closed of the first three descriptors on nothing."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def drop_impossible_sizes(environment: MutableMapping[str, str]) -> None:
    """Unset COLUMNS and LINES where they are no size of a terminal."""
    for name in ("COLUMNS", "LINES"):
        value = environment.get(name)
        if value is not None and not _is_size(value):
            del environment[name]


def _is_size(value: str) -> bool:
    # a number of thousands of digits is more than int takes
    return value.isascii() and value.isdigit() and len(value) < 6 and _NARROWEST <= int(value) <= _WIDEST
