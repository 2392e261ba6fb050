"""The program's edge: one place turns every expected failure into one line on standard error and an exit status.

    0 done   1 failure   2 usage   4 partial   5 engine missing or not patched   130 interrupted

It also makes standard output take any text (a pipe may be ASCII). A closed reader (such as `| head`) ends the
program quietly with 0. Ctrl-C is honoured from the first heavy import on, also where Python swallows it, until the work
is done.
"""

import codecs
import errno
import os
import signal
import sys
import threading
from typing import Any

from negtemp.cli import surroundings
from negtemp.cli.messages import say
from negtemp.errors import INTERRUPTED, NegtempError
from negtemp.printable import to_ascii

_SOON_SECONDS = 0.01


def main() -> None:
    """The `negtemp` command."""
    surroundings.settle()
    _prepare_streams()
    sys.unraisablehook = _interrupt_again
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    # nothing is left to interrupt but the interpreter's own end, which would print a traceback
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)


def _prepare_streams() -> None:
    """Both streams take any text; a stream that the caller has closed (`>&-`) is replaced by one that discards."""
    codecs.register_error("negtemp", _escape)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        getattr(sys, name).reconfigure(errors="negtemp")
    if "--json" in sys.argv:  # which is UTF-8 whatever the locale
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]


def _interrupt_again(swallowed: Any) -> None:
    """A Ctrl-C that came while C called back, as llama.cpp's log does: nothing is raised out of there; again, soon."""
    if swallowed.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(swallowed)
    elif signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        threading.Timer(_SOON_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What a stream cannot hold, as `\\u00e9`; Python's own backslashreplace says `\\xe9`, which here is a byte."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


def run(arguments: list[str]) -> int:
    """The exit status of one call of the program. Raises KeyboardInterrupt where typer does not see it."""
    import typer

    from negtemp.cli.app import app

    try:
        status = app(args=arguments, prog_name="negtemp", standalone_mode=False)
        sys.stdout.flush()
    except NegtempError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        message = _one_line(error.format_message())
        # no command at all: typer has shown the help already
        return _fail(message, error.exit_code) if message else error.exit_code
    except BrokenPipeError:
        return _abandon_output(0)
    except SystemExit as left:
        # typer and rich leave with 1 where a reader has gone
        if not isinstance(left.__context__, BrokenPipeError):
            raise
        return _abandon_output(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            raise
        _abandon_output(1)
        return _fail(f"cannot write the result: {error.strerror}; make room and run again", 1)
    except MemoryError:
        return _fail("out of memory; lower --ctx-size or take a smaller model", 1)
    return int(status or 0)


def _fail(message: str, status: int) -> int:
    say(message)
    return status


def _one_line(message: str) -> str:
    """typer's message for a usage error, with a pointer to --help; empty if typer has already shown help."""
    line = " ".join(message.split())
    return line and f"{line} (see --help)"


def _abandon_output(status: int) -> int:
    """The status, after which the interpreter's own flush of standard output cannot fail again."""
    from negtemp.views.console import lead_nowhere

    lead_nowhere(sys.stdout)
    return status
