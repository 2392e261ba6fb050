"""What the program says besides its result: one safe line on standard error, and commands that can be pasted.

Whatever a message quotes (a path, a prompt, a field of somebody's file), `say` makes it harmless, so that no other
module has to. It leaves out tables and progress, whose consoles (`views.console`) do the same.

Source of the quoting: POSIX.1-2024, Shell Command Language, 2.2.4 "Dollar-Single-Quotes"; bash, zsh, ksh and busybox
know it.
"""

import contextlib
import functools
import os
import re
import shlex
import sys
from collections.abc import Sequence

from negtemp.printable import escape_hostile, is_hostile

# fields besides the sampling settings that messages name in backticks
_FIELDS = ("model", "prompt", "seeds", "repeats", "along", "shapes", "candidates", "unused", "beta", "workers")


def say(message: str) -> None:
    """Print `negtemp: message` as one line on standard error; a reader that has gone is no failure."""
    with contextlib.suppress(BrokenPipeError):
        print(f"negtemp: {escape_hostile(with_flags(message))}", file=sys.stderr, flush=True)


def with_flags(message: str) -> str:
    """A message from below, which names fields of the Python face, with the flags of the command line instead.

    >>> with_flags("`n_predict` is 0; give a whole number of at least 1")
    '--n-predict is 0; give a whole number of at least 1'
    """
    return re.sub("`([a-z_]+)`", lambda found: _flags().get(found[1], found[0]), message)


@functools.cache
def _flags() -> dict[str, str]:
    from negtemp.experiments.settings import SETTINGS  # the table is not needed to say anything else

    sampling = {name: "--" + name.replace("_", "-") for name in SETTINGS}
    return {name: f"--{name}" for name in _FIELDS} | sampling


def shell_command(arguments: Sequence[str], encoding: str = "utf-8") -> str:
    """The arguments as one line that a shell splits into the same bytes again.

    What a terminal would not show as it is, or `encoding` cannot hold, stands in `$'...'` as octal bytes.

    >>> print(shell_command(["negtemp", "run", "-p", "it's", "a\\nb"]))
    negtemp run -p 'it'"'"'s' $'a\\012b'
    """
    return " ".join(_quoted(argument, encoding) for argument in arguments)


def _quoted(argument: str, encoding: str) -> str:
    if not any(_needs_octal(character, encoding) for character in argument):
        return shlex.quote(argument)
    return "$'" + "".join(_in_dollar_quotes(character, encoding) for character in argument) + "'"


def _in_dollar_quotes(character: str, encoding: str) -> str:
    if _needs_octal(character, encoding):
        return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
    # an interactive bash would read ! as its history
    return {"'": "\\'", "\\": "\\\\", "!": "\\041"}.get(character, character)


def _needs_octal(character: str, encoding: str) -> bool:
    if character.isascii():
        return not character.isprintable()
    return is_hostile(character) or not _can_be_written(character, encoding)


def _can_be_written(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
