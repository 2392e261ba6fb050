"""How far along, on standard error: a bar on a terminal, a line every 30 seconds elsewhere, nothing for short work."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
