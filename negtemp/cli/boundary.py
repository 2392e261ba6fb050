"""The program's edge: one place turns every expected failure into one line on standard error and an exit status.

    0 done   1 failure   2 usage   4 partial   5 engine missing or not patched   130 interrupted

It also makes standard output take any text (a pipe may be ASCII) and ends quietly where a reader has gone.
"""

import codecs
import errno
import os
import sys

import typer

from negtemp.errors import NegtempError
from negtemp.printable import printable, to_ascii

_INTERRUPTED = 130


def main() -> None:
    """The `negtemp` command."""
    codecs.register_error("negtemp", _escape)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="negtemp")
    sys.exit(run(sys.argv[1:]))


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What a stream cannot hold, as `\\u00e9`; Python's own backslashreplace says `\\xe9`, which here is a byte."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


def run(arguments: list[str]) -> int:
    """The exit status of one call of the program."""
    from negtemp.cli.commands import app

    try:
        status = app(args=arguments, prog_name="negtemp", standalone_mode=False)
        sys.stdout.flush()
    except NegtempError as error:
        return _say(str(error), error.exit_status)
    except typer.TyperException as error:
        message = _one_line(error.format_message())
        # no command at all: typer has shown the help already
        return _say(message, error.exit_code) if message else error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _abandon_output(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            raise
        _abandon_output(1)
        return _say(f"cannot write the result: {error.strerror}; make room and run again", 1)
    except MemoryError:
        return _say("out of memory; lower --ctx-size or take a smaller model", 1)
    return int(status or 0)


def _say(message: str, status: int) -> int:
    print(f"negtemp: {message}", file=sys.stderr)
    return status


def _one_line(message: str) -> str:
    """typer's message for a usage error, safe to show, with where to look next; empty where there is none."""
    shown = printable(" ".join(message.split()).encode("utf-8", "surrogateescape"), keep=" \"'")
    return shown and f"{shown} (see --help)"


def _abandon_output(status: int) -> int:
    """Point standard output at nothing, so that the interpreter's own flush at exit cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
