"""Where under-trained tokens occur in somebody's files: prompts, data sets, logs; text or JSON Lines of any size.

A file is read in blocks of whole lines. The strings of the tokens are searched for first, all at once; the word in
which one stands is then tokenized, for a string is not yet the token: `ptember` stands in `September` and is seldom
what the tokenizer makes of it. Where a text cannot be cut into words (`model.tokens.safe_splits`), all of it is. What a
word holds is remembered, since words come again. A text is a line, or in JSON Lines (.jsonl, .ndjson) a string anywhere
in a line's value. It leaves out tokens that no text leads to.

Lines are tokenized apart from their neighbours, so a token that holds a line feed is not found. A line longer than
16 MiB is cut, and what lies across a cut is missed.
"""

import codecs
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import ScanError
from negtemp.model.tokens import safe_splits
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.printable import printable_path
from negtemp.records import AuditToken
from negtemp.records.audit import Occurrence, Scanned
from negtemp.theory.search import Search

JSON_LINES = (".jsonl", ".ndjson")
FIRST_LINES = 5

# json.loads would guess at the encoding of each line
_DECODE = json.JSONDecoder().decode
_BLOCK = 1 << 21
_LONGEST_LINE = 1 << 24
_PEEK = 1 << 16
_WORDS, _LONGEST_WORD = 1 << 16, 64  # how many are remembered, and how long they are at most


class Block(NamedTuple):
    """Texts joined by one separator byte, and the line number of each."""

    data: bytes
    separator: bytes
    lines: Sequence[int]


@dataclass
class Tally:
    """One token in one file."""

    strings: int = 0
    tokens: int = 0
    lines: list[int] = field(default_factory=list)

    def seen_in(self, line: int) -> None:
        if len(self.lines) < FIRST_LINES and line not in self.lines:
            self.lines.append(line)


class Remembered(dict[bytes, Mapping[int, int]]):
    """What is made of a word, made when it is first asked for."""

    def __init__(self, make: Callable[[bytes], Mapping[int, int]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: bytes) -> Mapping[int, int]:
        made = self._make(word)
        if len(word) <= _LONGEST_WORD:
            if len(self) >= _WORDS:
                self.clear()
            self[word] = made
        return made


class Scanner:
    """Looks for one set of tokens. Without a vocabulary only strings are counted."""

    def __init__(self, tokens: Sequence[AuditToken], vocabulary: Vocabulary | None) -> None:
        self._tokens = [token for token in tokens if token.raw]
        self._wanted = frozenset(token.token_id for token in self._tokens)
        self._vocabulary = vocabulary
        self._cuts = vocabulary is not None and safe_splits.can_be_cut(vocabulary)
        # texts with one of these are not cut, so they are searched for with the tokens
        uncut = safe_splits.left_whole(vocabulary) if vocabulary is not None and self._cuts else []
        self._search = Search([token.raw for token in self._tokens] + uncut)
        # a tokenizer that begins every text with a space makes ` word` of a `word` at the beginning
        adds_space = vocabulary is not None and vocabulary.detokenize(vocabulary.encode(b"a")[:1]).startswith(b" ")
        self._before = b" " if adds_space else b""
        self._within = Remembered(self._made)

    def scan(self, path: Path) -> Iterator[Occurrence | Scanned]:
        """An Occurrence for each token found, the most frequent first, then the Scanned file.

        Raises ScanError where the file cannot be read or is not text.
        """
        tallies: dict[int, Tally] = {}
        texts = 0
        for block in blocks(path):
            self._count(block, tallies)
            texts += len(block.lines)
        shown = printable_path(path)
        confirmed = self._vocabulary is not None
        for index in sorted(tallies, key=lambda i: (-tallies[i].tokens, -tallies[i].strings, self._tokens[i].rank)):
            tally, token = tallies[index], self._tokens[index]
            yield Occurrence(
                file=shown, token_id=token.token_id, raw=token.raw, verdict=token.verdict,
                probability=token.probability, strings=tally.strings, tokens=tally.tokens if confirmed else None,
                lines=tuple(tally.lines),
            )  # fmt: skip
        strings, found = (sum(getattr(t, name) for t in tallies.values()) for name in ("strings", "tokens"))
        yield Scanned(
            file=shown, size=path.stat().st_size, texts=texts, strings=strings, tokens=found if confirmed else None,
        )  # fmt: skip

    def _count(self, block: Block, tallies: dict[int, Tally]) -> None:
        """Strings of a block, and the tokens that the words or texts with one are made of."""
        data = self._before + block.data.replace(block.separator, block.separator + self._before)
        bytes_ = np.frombuffer(data, np.uint8)
        ends = np.append(np.flatnonzero(bytes_ == block.separator[0]), len(data))
        found = list(self._search.find(data))
        starts, stops = self._parts(bytes_, ends, [places for index, places in found if index >= len(self._tokens)])
        for index, places in found:
            if index >= len(self._tokens):
                continue
            tally = tallies.setdefault(index, Tally())
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
        if self._vocabulary is None:
            return [1] * len(starts)
        within = self._within
        return [within[data[start:stop]].get(token_id, 0) for start, stop in zip(starts, stops, strict=True)]

    def _made(self, part: bytes) -> Mapping[int, int]:
        """The tokens looked for that the tokenizer makes of a part, and how often."""
        assert self._vocabulary is not None
        token_ids = self._vocabulary.encode(part[len(self._before) :])
        return Counter(filter(self._wanted.__contains__, token_ids))


def _merged(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two ascending runs in one, which is what a stable sort is quick at."""
    return np.sort(np.concatenate([first, second]), kind="stable")


def blocks(path: Path) -> Iterator[Block]:
    """A file as blocks of texts. Raises ScanError where it cannot be read or is not text."""
    shown = printable_path(path)
    try:
        with path.open("rb") as file:
            _require_text(file, shown)
            line = 1
            for data in _whole_lines(file):
                lines = range(line, line + data.count(b"\n") + 1)
                yield _json_block(data, line) if path.suffix.lower() in JSON_LINES else Block(data, b"\n", lines)
                line = lines[-1] + 1
    except IsADirectoryError:
        raise ScanError(f"{shown} is a folder; name the files in it") from None
    except OSError as error:
        raise ScanError(f"cannot read {shown}: {error.strerror}") from None


def _require_text(file: IO[bytes], shown: str) -> None:
    place = file.read(_PEEK).find(b"\0")
    if place >= 0:
        raise ScanError(f"{shown} is not UTF-8 text: it holds a zero byte at offset {place}; convert it")
    file.seek(0)


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Blocks that end before a newline, which is dropped; one longer than any line should be is cut."""
    rest = b""
    while piece := file.read(_BLOCK):
        head, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield rest + head
            rest = tail
        else:
            rest += piece
        if len(rest) >= _LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


def _json_block(data: bytes, first: int) -> Block:
    """Every string of every line's value, joined by zero bytes; a line that is no JSON stands for itself."""
    texts: list[bytes] = []
    lines: list[int] = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=first):
        found = _texts(line)
        texts += found
        lines += [number] * len(found)
    return Block(b"\0".join(texts), b"\0", lines)


def _texts(line: bytes) -> list[bytes]:
    found: list[str] = []
    try:
        _gather(_DECODE(line.decode()), found)
    except (ValueError, RecursionError):
        return [line.replace(b"\0", b" ")]
    return [text.encode("utf-8", "replace").replace(b"\0", b" ") for text in found]


def _gather(value: Any, found: list[str]) -> None:
    """Every string of a JSON value, names of fields left out."""
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _gather(item, found)
