"""Many strings at once against Python's own search, one string at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negtemp.theory.search import Search

RNG = np.random.default_rng(1)


def by_hand(strings: list[bytes], data: bytes) -> dict[int, list[int]]:
    found = {i: [at for at in range(len(data)) if data.startswith(string, at)] for i, string in enumerate(strings)}
    return {i: places for i, places in found.items() if places}


def searched(strings: list[bytes], data: bytes) -> dict[int, list[int]]:
    return {i: places.tolist() for i, places in Search(strings).find(data)}


@settings(max_examples=200, deadline=None)
@given(
    strings=st.lists(st.binary(min_size=1, max_size=7).map(lambda b: bytes(x % 3 for x in b)), max_size=8),
    data=st.binary(max_size=60).map(lambda b: bytes(x % 3 for x in b)),
)
def test_every_occurrence_is_found_and_no_other(strings: list[bytes], data: bytes) -> None:
    assert searched(strings, data) == by_hand(strings, data)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 9])
def test_strings_of_every_length_at_the_ends_of_the_data(length: int) -> None:
    string = bytes(range(200, 200 + length))
    assert searched([string], string + b"--" + string) == {0: [0, length + 2]}
    assert searched([string], string[:-1]) == {}


def test_occurrences_may_overlap() -> None:
    assert searched([b"aa", b"aaaaa"], b"aaaaaa") == {0: [0, 1, 2, 3, 4], 1: [0, 1]}


def test_thousands_of_strings_are_kept_apart() -> None:
    strings = [bytes(RNG.integers(97, 123, 6, dtype=np.uint8)) for _ in range(3000)]
    data = b" ".join(strings[index] for index in RNG.permutation(3000)[:500])
    assert searched(strings, data) == by_hand(strings, data)


def test_nothing_is_found_in_nothing() -> None:
    assert searched([b"a", b"abcdef"], b"") == {} == searched([], b"abc")
