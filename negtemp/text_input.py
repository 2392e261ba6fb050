"""Text that a user gives us, from a file, a pipe or standard input (`-`), as editors write it.

A byte order mark is taken off: Notepad and PowerShell put one before UTF-8, and before UTF-16 or UTF-32, which are
decoded for it. Without a mark a text is UTF-8, and anything else is refused with the place of its first bad byte. Line
ends and NUL characters inside a text stay as they are. It leaves out files too large for memory, which `scan` reads in
pieces, and what the text means.
"""

import codecs
import sys
from pathlib import Path

from negtemp.errors import NegtempError, UsageError
from negtemp.printable import printable_path

STANDARD_INPUT = Path("-")

# the marks of UTF-32 begin with those of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path, what: str, error: type[NegtempError] = UsageError) -> str:
    """The text of a file, less its byte order mark. Raises `error`, in one line that names `what` and the file."""
    data = read_bytes(path, what, error)
    encoding, start = _encoding(data)
    try:
        return data[start:].decode(encoding)
    except UnicodeDecodeError as problem:
        place = start + problem.start
        raise error(
            f"{what} {_shown(path)} is not {encoding.upper()[:6].rstrip('-')}: byte 0x{data[place]:02x} at offset "
            f"{place}; save it as UTF-8"
        ) from None


def read_bytes(path: Path, what: str, error: type[NegtempError] = UsageError) -> bytes:
    """All bytes of a file, of a pipe, or of standard input for `-`. Raises `error`, in one line."""
    try:
        if path != STANDARD_INPUT:
            return path.read_bytes()
        if sys.stdin is None:
            raise error(f"{what} is to come from standard input, which is closed")
        return sys.stdin.buffer.read()
    except OSError as problem:
        raise error(f"cannot read {what} {_shown(path)}: {problem.strerror or problem}") from None


def _encoding(data: bytes) -> tuple[str, int]:
    """The encoding that a text is in, and the length of its mark."""
    return next(((encoding, len(mark)) for mark, encoding in _MARKS if data.startswith(mark)), ("utf-8", 0))


def _shown(path: Path) -> str:
    return "from standard input" if path == STANDARD_INPUT else printable_path(path)
