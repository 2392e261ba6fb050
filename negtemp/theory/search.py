"""Where any of many byte strings occur in a block of bytes, all of them at once, in numpy.

The first bytes of every position (four, or as many as a short string has) are looked up in a table of those that a
string begins with; what passes is compared with each string in full. The cost hardly grows with the number of strings.
Overlapping occurrences all count. It leaves out files, lines and what the strings mean.

Source: the prefix filter of Wu & Manber, A fast algorithm for multi-pattern searching (1994).
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_PREFIX = 4
_TABLE_BITS = 18
_MULTIPLIER = np.uint32(2654435761)  # Knuth, The Art of Computer Programming, volume 3, section 6.4

Positions = NDArray[np.int64]


class Search:
    """Searches for one set of byte strings, none of them empty."""

    def __init__(self, strings: Sequence[bytes]) -> None:
        self._strings = [np.frombuffer(string, np.uint8) for string in strings]
        self._members: dict[int, dict[int, list[int]]] = {}
        for index, string in enumerate(self._strings):
            length = min(len(string), _PREFIX)
            prefix = int(_prefixes(string, length)[0])
            self._members.setdefault(length, {}).setdefault(prefix, []).append(index)
        self._tables = {length: _table(members) for length, members in self._members.items()}

    def find(self, data: bytes) -> Iterator[tuple[int, Positions]]:
        """(index of a string, where it begins, ascending) for every string that occurs, in no order of strings."""
        text = np.frombuffer(data, np.uint8)
        for length, members in self._members.items():
            if len(text) < length:
                continue
            prefixes = _prefixes(text, length)
            places = np.flatnonzero(self._tables[length][_slots(prefixes)])
            for prefix, here in _grouped(prefixes[places], places):
                for index in members.get(prefix, ()):
                    exact = _equal(text, here, self._strings[index])
                    if len(exact):
                        yield index, exact


def _table(prefixes: Iterable[int]) -> NDArray[np.bool_]:
    table = np.zeros(1 << _TABLE_BITS, bool)
    table[_slots(np.array(list(prefixes), np.uint32))] = True
    return table


def _grouped(values: NDArray[np.uint32], places: Positions) -> Iterator[tuple[int, Positions]]:
    """(value, its places in ascending order) for each value that occurs."""
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    stops = np.append(starts, len(values))[1:]
    for value, start, stop in zip(distinct.tolist(), starts, stops, strict=True):
        yield value, places[order[start:stop]]


def _prefixes(text: NDArray[np.uint8], length: int) -> NDArray[np.uint32]:
    """The `length` bytes from each position on as one number, `[n - length + 1]`."""
    count = len(text) - length + 1
    numbers = text[:count].astype(np.uint32)
    for offset in range(1, length):
        numbers <<= np.uint32(8)
        numbers |= text[offset : offset + count]
    return numbers


def _slots(prefixes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.asarray((prefixes * _MULTIPLIER) >> np.uint32(32 - _TABLE_BITS))


def _equal(text: NDArray[np.uint8], places: Positions, string: NDArray[np.uint8]) -> Positions:
    """Those of the places at which the whole string stands."""
    places = places[places <= len(text) - len(string)]
    for offset in range(_PREFIX, len(string)):
        if not len(places):
            break
        places = places[text[places + offset] == string[offset]]
    return places
