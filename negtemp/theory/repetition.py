"""Does a completion go in circles? The longest block of tokens that occurs twice.

The two occurrences may overlap, so that n times the same token holds a block of n - 1, and a loop of any period shows.
A block of length L that repeats contains one of length L - 1 that does, so the length is found by bisection; blocks are
compared as bytes. It leaves out approximate repeats.
"""

from array import array
from collections.abc import Sequence


def longest_repeat(token_ids: Sequence[int]) -> int:
    """Tokens in the longest block that occurs at two places; 0 where no token occurs twice.

    >>> longest_repeat([7, 1, 2, 3, 9, 1, 2, 3]), longest_repeat([5, 5, 5, 5])
    (3, 3)
    """
    data = array("q", token_ids).tobytes()
    shortest, longest = 0, max(0, len(token_ids) - 1)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if _repeats(data, middle):
            shortest = middle
        else:
            longest = middle - 1
    return shortest


def _repeats(data: bytes, length: int) -> bool:
    """Whether a block of `length` 8-byte tokens occurs twice."""
    seen = set()
    for start in range(0, len(data) - 8 * length + 8, 8):
        block = data[start : start + 8 * length]
        if block in seen:
            return True
        seen.add(block)
    return False
