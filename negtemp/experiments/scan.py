"""Where under-trained tokens occur in somebody's files: prompts, data sets, logs, of any size and layout (`texts`).

The strings of the tokens are searched for first, all at once; the word in which one stands is then tokenized, for a
string is not yet the token: `ptember` stands in `September` and is seldom what the tokenizer makes of it. Where a text
cannot be cut into words (`model.tokens.safe_splits`), all of it is. A text is a line, or a string of JSON or Parquet.

Lines are tokenized apart from their neighbours, so a token that holds a line feed is found in JSON and Parquet only.
What had to be parted where the tokenizer might join something (`wanted_tokens`) is counted as `parted`. It leaves out
tokens that no text leads to.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments.wanted_tokens import LONGEST_TEXT, LONGEST_WORD, WantedTokens
from negtemp.model.tokens import safe_splits
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import AuditToken
from negtemp.records.audit import Lines, Occurrence, Scanned
from negtemp.texts.blocks import Piece, pieces
from negtemp.texts.reading import FIRST_LINES, Layout, Noted, Reading
from negtemp.theory.search import Search

_CUT_IN = 1 << 16  # where the last place to part a long text is looked for first


@dataclass
class Tally:
    """One token in one file."""

    strings: int = 0
    tokens: int = 0
    lines: list[int] = field(default_factory=list)

    def seen_in(self, line: int) -> None:
        if len(self.lines) < FIRST_LINES and line not in self.lines:
            self.lines.append(line)


@dataclass
class Found:
    """What was found in one input so far."""

    reading: Reading
    tallies: dict[int, Tally] = field(default_factory=dict)
    parted: Noted = field(default_factory=Noted)


Advance = Callable[[int, int | None], None]  # bytes that were read, and of how many where that is known


def unwatched(_: int, __: int | None) -> None:
    """Nobody follows the progress."""


class Scanner:
    """Looks for one set of tokens. Without a vocabulary only strings are counted."""

    def __init__(self, tokens: Sequence[AuditToken], vocabulary: Vocabulary | None) -> None:
        self._tokens = [token for token in tokens if token.raw]
        ids = [token.token_id for token in self._tokens]
        self._within = None if vocabulary is None else WantedTokens(vocabulary, ids)
        self._before = b"" if self._within is None else self._within.before
        self._cuts = vocabulary is not None and safe_splits.can_be_cut(vocabulary)
        # texts with one of these are not cut, so they are searched for with the tokens
        uncut = safe_splits.left_whole(vocabulary) if vocabulary is not None and self._cuts else []
        self._search = Search([token.raw for token in self._tokens] + uncut)
        self._longest = max((len(token.raw) for token in self._tokens), default=1)

    def scan(
        self, path: Path, encoding: str | None = None, layout: Layout | None = None,
        advance: Advance = unwatched,
    ) -> Iterator[Occurrence | Scanned]:  # fmt: skip
        """An Occurrence for each token found, the most frequent first, then the Scanned file.

        Raises ScanError where the file cannot be read or is not text.
        """
        found = Found(Reading(path, encoding, layout))
        self.search(found, advance)
        yield from self.records(found)

    def search(self, found: Found, advance: Advance = unwatched) -> None:
        """Read an input to its end. Raises ScanError where it cannot be read or is not text."""
        for piece in pieces(found.reading.blocks(), self._last_cut, LONGEST_TEXT, self._longest - 1):
            self._count_across(piece, found)
            self._count(piece, found)
            advance(found.reading.position, found.reading.size)

    def records(self, found: Found) -> Iterator[Occurrence | Scanned]:
        """What was found, the most frequent first, then the input itself."""
        tallies, reading = found.tallies, found.reading
        tokenized = self._within is not None
        for index in sorted(tallies, key=lambda i: (-tallies[i].tokens, -tallies[i].strings, self._tokens[i].rank)):
            tally, token = tallies[index], self._tokens[index]
            yield Occurrence(
                file=reading.name, token_id=token.token_id, raw=token.raw, verdict=token.verdict,
                probability=token.probability, strings=tally.strings, tokens=tally.tokens if tokenized else None,
                lines=tuple(tally.lines),
            )  # fmt: skip
        strings, tokens = (sum(getattr(t, name) for t in tallies.values()) for name in ("strings", "tokens"))
        yield Scanned(
            file=reading.name, size=reading.position, texts=reading.texts, strings=strings,
            tokens=tokens if tokenized else None, layout=reading.layout, encoding=reading.encoding,
            not_json=_lines(reading.not_json), not_utf_8=_lines(reading.not_utf_8), parted=_lines(found.parted),
            interrupted=None if reading.ended else True,
        )  # fmt: skip

    def _count(self, piece: Piece, found: Found) -> None:
        """Strings of a block, and the tokens that the words or texts with one are made of."""
        block = piece.block
        data = (b"" if block.continues else self._before) + block.data.replace(
            block.separator, block.separator + self._before
        )
        bytes_ = np.frombuffer(data, np.uint8)
        ends = np.append(np.flatnonzero(bytes_ == block.separator[0]), len(data))
        hits = list(self._search.find(data))
        starts, stops = self._parts(bytes_, ends, [places for index, places in hits if index >= len(self._tokens)])
        doubts = self._within is not None and bool(
            piece.before or piece.parted or np.max(stops - starts, initial=0) > LONGEST_WORD
        )
        for index, places in hits:
            if index >= len(self._tokens):
                continue
            tally = found.tallies.setdefault(index, Tally())
            tally.strings += len(places)
            parts = np.searchsorted(starts, places, "right") - 1
            parts = parts[np.append(True, parts[1:] != parts[:-1])]
            first, last = starts[parts].tolist(), stops[parts].tolist()
            counts = self._counts(data, first, last, self._tokens[index].token_id)
            tally.tokens += sum(counts)
            for start in itertools.compress(first, counts):
                if len(tally.lines) == FIRST_LINES:
                    break
                tally.seen_in(block.lines[int(np.searchsorted(ends, start))])
            if doubts:
                for part in self._doubtful(piece, data, parts, starts, stops):
                    found.parted.note(block.lines[int(np.searchsorted(ends, starts[part]))])

    def _doubtful(
        self, piece: Piece, data: bytes, parts: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> Iterator[int]:
        """Those of the parts of which the tokenizer may make something else as a whole."""
        assert self._within is not None
        for part in parts[stops[parts] - starts[parts] > LONGEST_WORD].tolist():
            if not self._within.is_certain(data[starts[part] : stops[part]]):
                yield part
        if (piece.before and parts[0] == 0) or (piece.parted and parts[-1] == len(starts) - 1):
            yield 0 if piece.before and parts[0] == 0 else len(starts) - 1

    def _count_across(self, piece: Piece, found: Found) -> None:
        """Strings that stand across the place where a text was parted."""
        if not piece.before:
            return
        line, place = piece.block.lines[0], len(piece.before)
        behind = piece.block.data[: self._longest - 1].split(piece.block.separator)[0]
        for index, places in self._search.find(piece.before + behind):
            if index >= len(self._tokens):
                continue
            lengths = len(self._tokens[index].raw)
            across = int(np.count_nonzero((places < place) & (places + lengths > place)))
            if across:
                tally = found.tallies.setdefault(index, Tally())
                tally.strings += across
                tally.seen_in(line) if self._within is None else found.parted.note(line)

    def _last_cut(self, text: bytes) -> int:
        """The last place before which a text can be cut; 0 where there is none."""
        for start in (max(0, len(text) - _CUT_IN), 0) if self._cuts and b" " in text else ():
            cuts = safe_splits.cuts(np.frombuffer(text, np.uint8)[start:])
            if len(cuts):
                return start + int(cuts[-1])
        return 0

    def _parts(
        self, data: NDArray[np.uint8], ends: NDArray[np.int64], uncut: Sequence[NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the words of a block begin and end; of texts that hold one of the `uncut` places, the whole text."""
        texts = np.append(0, ends[:-1] + 1)
        if not self._cuts:
            return texts, ends
        cuts = safe_splits.cuts(data)
        if uncut:
            whole = np.searchsorted(ends, np.concatenate(uncut))
            cuts = cuts[~np.isin(np.searchsorted(ends, cuts), whole)]
        return _merged(texts, cuts), _merged(ends, cuts)

    def _counts(self, data: bytes, starts: Sequence[int], stops: Sequence[int], token_id: int) -> list[int]:
        """How often a token stands in each part; 1 where there is no tokenizer to ask."""
        within = self._within
        if within is None:
            return [1] * len(starts)
        return [within[data[start:stop]].get(token_id, 0) for start, stop in zip(starts, stops, strict=True)]


def _merged(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two ascending runs in one, which is what a stable sort is quick at."""
    return np.sort(np.concatenate([first, second]), kind="stable")


def _lines(noted: Noted) -> Lines | None:
    return Lines(count=noted.count, first=tuple(noted.first)) if noted.count else None
