"""Lines of progress where there is no terminal: when they come and what they promise."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from negtemp.views import progress


class Clock:
    """Stands for time.monotonic: a second passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("negtemp.views.progress.time.monotonic", clock)
    return clock


def lines(items: Iterator[int], total: int, before: int = 0) -> list[str]:
    out = io.StringIO()
    assert list(progress.tracked(items, total, "work", Console(file=out, width=40), before)) == list(range(total))
    return out.getvalue().splitlines()


def every(clock: Clock, seconds: float, total: int, together: int = 1) -> Iterator[int]:
    for item in range(total):
        if item % together == 0:
            clock.now += seconds
        yield item


def test_short_work_says_nothing(clock: Clock) -> None:
    assert lines(every(clock, 1.0, 20), 20) == []


def test_a_line_comes_every_thirty_seconds_with_the_time_that_is_left(clock: Clock) -> None:
    shown = lines(every(clock, 10.0, 9), 9)
    assert shown == ["work: 2 of 9, about 60 s left", "work: 5 of 9, about 30 s left", "work: 8 of 9, about 0 s left"]


def test_items_that_come_many_at_once_are_timed_as_a_batch(clock: Clock) -> None:
    """Four every 40 seconds: when the second batch is there, 40 seconds are left."""
    assert lines(every(clock, 40.0, 12, together=4), 12)[0] == "work: 4 of 12, about 40 s left"
