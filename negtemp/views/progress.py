"""How far along, on standard error: a bar on a terminal, a line every 30 seconds elsewhere, nothing for short work."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

_LINE_EVERY_SECONDS = 30.0


def tracked(items: Iterable[Item], total: int, what: str, console: Console) -> Iterator[Item]:
    """The items, unchanged, while `console` shows how many of `total` have passed."""
    return _bar(items, total, what, console) if console.is_terminal else _lines(items, total, what, console)


def _bar(items: Iterable[Item], total: int, what: str, console: Console) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)


def _lines(items: Iterable[Item], total: int, what: str, console: Console) -> Iterator[Item]:
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _LINE_EVERY_SECONDS:
            left = (now - started) / done * max(0, total - done)
            console.print(f"{what}: {done} of {total}, about {left:.0f} s left")
            last = now
