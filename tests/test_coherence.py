"""The longest repeated block, against brute force."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from negtemp.theory.coherence import longest_repeat


@given(st.lists(st.integers(0, 3), max_size=24))
def test_the_longest_repeat_is_what_comparing_all_pairs_finds(tokens: list[int]) -> None:
    longest = 0
    for first, second in itertools.combinations(range(len(tokens)), 2):
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(tokens[first:], tokens[second:], strict=False))
        longest = max(longest, sum(1 for _ in same))
    assert longest_repeat(tokens) == longest
