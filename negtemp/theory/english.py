"""How much does a text look like English, by its commonest words: no model judges another here.

About half of the words of any English text are among a hundred, and hardly one of a random string of tokens is. A loop
that says one of them for ever must not pass, so each counts once: distinct common words over all words. It leaves out
grammar and sense, and every other language.

Source of the fact: word counts of English corpora (Zipf 1935; Francis & Kucera 1967); the list is of function words.
"""

import re

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
