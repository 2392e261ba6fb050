"""Which of the tokens looked for the tokenizer makes of a word, or of a whole text that cannot be cut into words.

What a word holds is remembered, since words come again. The time that llama.cpp takes for a word grows with the square
of its length, so a long one is tokenized in parts: they are cut where no token of the vocabulary could span the place,
as almost everywhere in scripts without spaces, or else where they are; then what the tokenizer makes of the places
around is not known, and `is_certain` says so. It leaves out where words begin and end (`model.tokens.safe_splits`).
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping

from negtemp.model.tokens.safe_splits import Seams
from negtemp.model.tokens.vocabulary import Vocabulary

LONGEST_WORD, LONGEST_TEXT = 1 << 12, 1 << 16

_REMEMBERED, _REMEMBERED_BYTES = 1 << 16, 1 << 23
_SOUGHT = 1 << 8  # bytes before the longest length in which a good place is looked for
_BREAK = b"\n"


class WantedTokens(dict[bytes, Mapping[int, int]]):
    """How often each of the tokens is made of a part; counted when it is first asked for.

    Parts that begin a word begin with `before`: the space that the tokenizer puts before every text, or nothing.
    """

    def __init__(self, vocabulary: Vocabulary, token_ids: Iterable[int]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._wanted = frozenset(token_ids)
        self._bytes = 0
        self._uncertain: set[int] = set()
        # a tokenizer that begins every text with a space makes ` word` of a `word` at the beginning
        begins = vocabulary.detokenize(vocabulary.encode(b"a")[:1])
        self.before = b" " if begins.startswith(b" ") else b""

    def __missing__(self, part: bytes) -> Mapping[int, int]:
        if len(self) >= _REMEMBERED or self._bytes + len(part) > _REMEMBERED_BYTES:
            self.clear()
            self._bytes = 0
        short = len(part) <= LONGEST_WORD or (b" " in part[1:] and len(part) <= LONGEST_TEXT)
        made = self[part] = self._made(part.removeprefix(self.before)) if short else self._made_in_parts(part)
        self._bytes += len(part)
        return made

    def is_certain(self, part: bytes) -> bool:
        """Whether this is what the tokenizer makes of the part as a whole, once it was counted."""
        return len(part) <= LONGEST_WORD or hash(part) not in self._uncertain

    def _made(self, data: bytes) -> Counter[int]:
        return Counter(filter(self._wanted.__contains__, self._vocabulary.encode(data)))

    def _made_in_parts(self, part: bytes) -> Counter[int]:
        longest = LONGEST_TEXT if b" " in part[1:] else LONGEST_WORD
        made: Counter[int] = Counter()
        start, certain = 0, True
        while start < len(part):
            end, good = self._end(part, start, longest)
            data, certain = part[start:end], certain and good
            made += self._made(data.removeprefix(self.before)) if not start else self._made_behind(data)
            start = end
        if not certain:
            self._uncertain.add(hash(part))
        return made

    def _made_behind(self, data: bytes) -> Counter[int]:
        """What is made in the middle of a word, where the tokenizer would put a space in front."""
        if not self.before:
            return self._made(data)
        return self._made(_BREAK + data) - self._made(_BREAK)

    def _end(self, part: bytes, start: int, longest: int) -> tuple[int, bool]:
        """Where the part is cut next, and whether nothing can stand across that place."""
        if start + longest >= len(part):
            return len(part), True
        places = [place for place in range(start + longest, start + longest - _SOUGHT, -1) if _begins(part[place])]
        good = (place for place in places if self._vocabulary.joins_neighbours and self._seams.between(part, place))
        found = next(good, 0)
        return (found, True) if found else (next(iter(places), start + longest), False)

    @functools.cached_property
    def _seams(self) -> Seams:
        return Seams(self._vocabulary)


def _begins(byte: int) -> bool:
    """Whether a character begins with this byte."""
    return byte & 0xC0 != 0x80
