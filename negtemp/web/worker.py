"""The one thread that decodes. Jobs wait their turn; a stream of results stops when its reader has gone.

The page's server answers on an event loop that must never wait for llama.cpp, and llama.cpp's contexts are for one
thread. So every use of the engine is a job here, and its results go back to the loop. It leaves out what the jobs do.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from negtemp.errors import NegtempError

Result = TypeVar("Result")

_END = object()


class Ending(NegtempError):
    """The program is being stopped: what waits is not begun, and what runs ends at its next token."""


class _Job(Generic[Result]):
    """Something to do, and whom to tell."""

    def __init__(self, work: Callable[[], Result], told: Callable[[Result | None, BaseException | None], None]) -> None:
        self.work, self.told = work, told
        self.unwanted = threading.Event()


class Worker:
    """Does jobs in their order, in a thread of its own. Close it before the model."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        # a daemon: a decode of minutes must not keep a stopped program alive
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    async def ask(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises; it is not begun where the asking task is cancelled before."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        job = _Job(work, lambda result, error: _tell(loop, _settle, answer, result, error))
        self._jobs.put(job)
        try:
            return await answer
        finally:
            job.unwanted.set()

    async def stream(self, make: Callable[[], Iterator[Result]]) -> AsyncIterator[Result]:
        """What the iterator yields, as it comes; the iterator is closed when this one is."""
        loop = asyncio.get_running_loop()
        results: asyncio.Queue[Any] = asyncio.Queue()

        def work() -> None:
            with contextlib.closing(make()) as iterator:  # type: ignore[type-var]
                for result in iterator:
                    _tell(loop, results.put_nowait, (result, None))
                    if job.unwanted.is_set() or self._ending.is_set():
                        break

        job = _Job(work, lambda _, error: _tell(loop, results.put_nowait, (_END, error)))
        self._jobs.put(job)
        try:
            while True:
                result, error = await results.get()
                if error is not None:
                    raise error
                if result is _END:
                    return
                yield result
        finally:
            job.unwanted.set()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._ending.is_set():
                job.told(None, Ending("negtemp is being stopped"))
            elif not job.unwanted.is_set():
                try:
                    job.told(job.work(), None)
                except BaseException as error:  # told to whoever asked, in its own thread
                    job.told(None, error)

    def close(self, seconds: float) -> bool:
        """End after the token under way; whether that was within `seconds`."""
        self._ending.set()
        self._jobs.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()


def _settle(answer: "asyncio.Future[Result]", result: Result, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody listens
        loop.call_soon_threadsafe(call, *arguments)
