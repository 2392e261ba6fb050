"""Is a completion a text, or does it degenerate? Its commonest words, and whether it goes in circles.

About half of the words of any English text are among a hundred, and hardly one of a random string of tokens is. A loop
that says one of them for ever must not pass, so each counts once: distinct common words over all words. No model judges
another here. It leaves out grammar and sense, and every other language.

The longest block of tokens that occurs twice: the two occurrences may overlap, so that n times the same token holds a
block of n - 1, and a loop of any period shows. A block of length L that repeats contains one of length L - 1 that does,
so the length is found by bisection; blocks are compared as bytes. It leaves out approximate repeats.

Source of the words: word counts of English corpora (Zipf 1935; Francis & Kucera 1967); the list is of function words.
"""

import re
from array import array
from collections.abc import Sequence

_COMMON = (
    "a about after all also an and any are as at be because been but by can could did do does each even every first "
    "for from had has have he her here him his how i if in into is it its just like made many may me more most much "
    "must my never no not now of on one only or other our out over said same she should so some such than that the "
    "their them then there these they this those through to too two under until up us very was way we well were what "
    "when where which while who why will with without would you your"
)
COMMON_WORDS = frozenset(_COMMON.split())

_WORD = re.compile(r"[^\W\d_]+")


def common_share(text: str) -> float:
    """Distinct common English words over all words of a text; 0 where it has no word.

    >>> common_share("It is the end of the line"), common_share("the the the the"), common_share("Савезне entferne")
    (0.5714285714285714, 0.25, 0.0)
    """
    words = [word.lower() for word in _WORD.findall(text)]
    return len(COMMON_WORDS.intersection(words)) / len(words) if words else 0.0


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
