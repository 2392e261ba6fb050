"""negtemp commands as forks of this process: all is imported once, so that a case costs what its command does.

The parent loads no model, since neither ggml's threads nor OpenMP's survive a fork. What a child writes lies in the
files `stdout` and `stderr` of its folder.
"""

import importlib
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import negtemp
from negtemp.model import library

LIMIT_SECONDS = 60
# a guard for the machine, far above what is allowed
_ADDRESS_SPACE = 16 << 30


def prepare() -> None:
    """Import what the commands import when they run, once for all of them, and load the library."""
    for module in pkgutil.walk_packages(negtemp.__path__, "negtemp."):
        if not module.name.startswith(("negtemp.views.plots", "negtemp.views.geometry_plot", "negtemp.web")):
            importlib.import_module(module.name)
    library.load()


def start(arguments: Sequence[str], folder: Path, before: Callable[[], None] = lambda: None, said: str = "") -> int:
    """Start `negtemp ARGUMENTS` in a folder, after `before` there; the process id.

    `said` is put before the names of the files that hold what it writes, where several commands share a folder.
    """
    child = os.fork()
    if child == 0:
        try:
            _become(arguments, folder, said)
            before()
            _run()
        finally:
            os._exit(70)
    return child


def _become(arguments: Sequence[str], folder: Path, said: str) -> None:
    """The process group, folder, streams and limits of a command of its own."""
    os.setpgid(0, 0)
    os.chdir(folder)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(said + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
    # what waits for ever takes no processor; C code lets no handler of Python's run, so that this one kills
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20 * LIMIT_SECONDS)
    sys.argv = ["negtemp", *arguments]


def _run() -> None:
    """The command; never returns."""
    from negtemp.cli import main as entry

    status = 70
    try:
        entry.main()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 70
    except BaseException as error:
        print(f"Traceback: {error!r}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
