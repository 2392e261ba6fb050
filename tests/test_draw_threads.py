"""How many threads draw where a device decodes: the number that took least, on machines of several kinds."""

from collections.abc import Callable

import pytest

from negtemp.model.engine.draw_threads import DrawThreads


def chosen(seconds: Callable[[int, int], float], most: int = 16, rows: int = 64, steps: int = 60) -> int:
    """The number that is left after some steps, of which each number takes `seconds(step, threads)`."""
    threads = DrawThreads(most, tries=True)
    for step in range(steps):
        taken = threads.of(rows)
        threads.took(rows, taken, seconds(step, taken))
    return threads.of(rows)


def test_all_where_waking_them_costs_nothing() -> None:
    assert chosen(lambda _, threads: 64e-4 / threads) == 16


def test_one_where_waking_others_costs_more_than_drawing() -> None:
    assert chosen(lambda _, threads: 64e-5 / threads + 5e-3 * (threads > 1)) == 1


def test_some_where_each_that_wakes_costs_a_little() -> None:
    assert chosen(lambda _, threads: 64e-4 / threads + 4e-4 * threads) == 4


def test_what_makes_the_threads_is_not_counted() -> None:
    seen: list[int] = []

    def seconds(_: int, threads: int) -> float:
        seen.append(threads)
        return 1.0 if seen.count(threads) == 1 else 1e-3 / threads

    assert chosen(seconds) == 16


def test_another_number_goes_on_where_the_chosen_one_becomes_slow() -> None:
    assert chosen(lambda step, threads: 1e-3 / threads + 1e-2 * (step > 30 and threads == 16), steps=80) == 8


def test_each_number_of_rows_has_its_own() -> None:
    threads = DrawThreads(4, tries=True)
    for rows in (1, 64):
        for _ in range(20):
            taken = threads.of(rows)
            threads.took(rows, taken, rows * 1e-4 / taken + 2e-4 * taken)
    assert (threads.of(1), threads.of(64)) == (1, 4)


@pytest.mark.parametrize("most", [1, 3, 16])
def test_all_of_them_where_the_cpu_decodes(most: int) -> None:
    threads = DrawThreads(most, tries=False)
    for _ in range(5):
        assert threads.of(8) == most
        threads.took(8, most, 1.0)


def test_the_most_is_among_those_tried_though_it_is_no_power_of_two() -> None:
    assert chosen(lambda _, threads: 1.0 / threads, most=12) == 12
