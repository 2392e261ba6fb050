"""How far along, on standard error: a bar on a terminal, a line every 30 seconds elsewhere, nothing for short work."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Item = TypeVar("Item")

_LINE_EVERY_SECONDS = 30.0


def tracked(items: Iterable[Item], total: int, what: str, console: Console, before: int = 0) -> Iterator[Item]:
    """The items, unchanged, while `console` shows how many of `total` have passed, `before` of them earlier."""
    show = _bar if console.is_terminal else _lines
    return show(items, total, what, console, before)


def _bar(items: Iterable[Item], total: int, what: str, console: Console, before: int) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total, completed=before)
        for item in items:
            yield item
            progress.advance(task)


def _lines(items: Iterable[Item], total: int, what: str, console: Console, before: int) -> Iterator[Item]:
    started = last = reached = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        pace = (reached - started) / max(1, done)
        # items may arrive in bursts: only an item that was waited for gives a fair average
        if done and now - last >= _LINE_EVERY_SECONDS and now - reached >= pace / 2:
            left = pace * max(0, total - before - done) - (now - reached)
            console.print(f"{what}: {before + done} of {total}, about {max(left, 0):.0f} s left", soft_wrap=True)
            last = now
        yield item
        reached = time.monotonic()


@contextlib.contextmanager
def of_bytes(what: str, console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """Gives what is to be told how many bytes were read, and of how many where that is known."""
    if not console.is_terminal:
        yield _byte_lines(what, console)
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _byte_lines(what: str, console: Console) -> Callable[[int, int | None], None]:
    last = time.monotonic()

    def advance(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY_SECONDS:
            of = "" if total is None else f" of {total / 1e6:,.0f}"
            console.print(f"{what}: {done / 1e6:,.0f}{of} MB read", soft_wrap=True)
            last = now

    return advance
