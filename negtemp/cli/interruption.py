"""Ctrl-C, SIGTERM and SIGUSR1 during a sweep: the first ends it in order, the second at once.

The first sets an event, which a run looks at before it begins another unit (`runs.execution.Run`): here no more begins,
and workers are told to stop behind what they are at. All that is finished is saved, and the command says how to go on
and exits with 130. Worker processes have a session of their own, which a terminal's Ctrl-C does not reach.

Python runs no handler while llama.cpp computes, so a thread reads the signals from a pipe: it says what is going on
where that takes long, and ends the process at the second signal whatever the main thread is doing. What is saved by
then is whole. SIGUSR1 is what Slurm sends before a job's time is up (`#SBATCH --signal`).
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from negtemp.errors import INTERRUPTED

_PATIENCE_SECONDS = 1.0


@contextlib.contextmanager
def graceful_stop() -> Iterator[threading.Event]:
    """The event is set by the first signal. Main thread only."""
    seen = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        seen.set()

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    thread = threading.Thread(target=_watch, args=(reader,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(writer)
        thread.join()
        os.close(reader)


def _watch(reader: int) -> None:
    """Count the signals; the pipe's end means that the run is over."""
    if not os.read(reader, 1):
        return
    if not select.select([reader], [], [], _PATIENCE_SECONDS)[0]:
        _say("finishing what has begun; once more stops at once")
    if os.read(reader, 1):
        _say("stopped at once; all that is saved is whole")
        os._exit(INTERRUPTED)


def _say(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\nnegtemp: {message}\n")
        sys.stderr.flush()
