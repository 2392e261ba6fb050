"""Workers as processes of this machine.

They are started anew, never forked, since CUDA does not survive a fork. Each sees the device that it is given
(`CUDA_VISIBLE_DEVICES`: an index, a UUID or a MIG name) and no other.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

COMMAND = (sys.executable, "-m", "negtemp.runs.worker")


class Process:
    """The link to one worker process."""

    def __init__(self, command: Sequence[str], device: str | None = None) -> None:
        self.device = device
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": device} if device is not None else {})
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
            start_new_session=True,  # Ctrl-C in a terminal is for the driver alone
        )  # fmt: skip

    def tell(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def lines(self) -> Iterator[str]:
        assert self._process.stdout
        with self._process.stdout as lines:
            yield from (line for line in lines if line.endswith("\n"))  # what a dying worker tore is no line

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> str:
        status = self._process.wait()
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # what it did not read
            self._process.stdin.close()
        return f"with status {status}"


def on(devices: Sequence[str] = (), command: Sequence[str] = COMMAND) -> Callable[[int], Process]:
    """Worker processes, pinned to devices in turn where there are any."""
    return lambda number: Process(command, devices[number % len(devices)] if devices else None)
