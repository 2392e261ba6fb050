"""One input from its first byte to its last block: unpacked, decoded, and parted into texts.

The layout is JSON where the name says so (`.jsonl`, `.json.gz`), Parquet likewise or by its first bytes, text for every
other ending; what has none, a pipe or `.log` is looked at: it is JSON where its beginning is.
"""

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from negtemp.errors import ScanError
from negtemp.texts import encodings, inputs, parquet
from negtemp.texts.blocks import Block, by_lines
from negtemp.texts.json_strings import JsonStrings, begins_json

Layout = Literal["text", "json", "parquet"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
FIRST_LINES = 5

_JSON = (".json", ".jsonl", ".ndjson", ".jsonlines", ".jl", ".geojson", ".ipynb")
_HEAD = 1 << 16


@dataclass
class Noted:
    """Lines with something wrong: how many, and the first of them."""

    count: int = 0
    first: list[int] = field(default_factory=list)
    _last: int = 0

    def note(self, line: int) -> None:
        """Count a line, once where it is noted again at once."""
        if line != self._last:
            self._last = line
            self.count += 1
            self.first += [line] if len(self.first) < FIRST_LINES else []


class Reading:
    """One input. What its fields say of the whole is so once `blocks` has come to its end.

    size        bytes of the file, or None of what cannot tell
    position    bytes that were read, of an archive as it is stored
    layout      and `encoding`: as given, or as found
    texts       how many have begun
    ended       whether it was read to its end
    not_json    lines that were to be JSON and are not
    not_utf_8   lines of JSON with bytes outside UTF-8
    """

    def __init__(self, path: Path, encoding: str | None = None, layout: Layout | None = None) -> None:
        self.name = inputs.shown(path)
        self.layout, self.encoding = layout, encoding
        self.size: int | None = None
        self.texts, self.ended = 0, False
        self.not_json, self.not_utf_8 = Noted(), Noted()
        self._path = path
        self._stored: inputs.Peekable | None = None
        self._position = 0

    @property
    def position(self) -> int:
        """Bytes that were read so far."""
        return self._stored.count if self._stored else self._position

    def blocks(self) -> Iterator[Block]:
        """Raises ScanError where the input cannot be read, or is not text."""
        with ExitStack() as stack:
            source = stack.enter_context(inputs.opened(self._path))
            self.size, self._stored = source.size, source.stored
            stack.enter_context(inputs.translated(self._path))
            for block in self._parted(source):
                self.texts += block.begun
                yield block
        self.ended = True

    def _parted(self, source: inputs.Input) -> Iterator[Block]:
        head = source.stream.peek(_HEAD)
        self.layout = self.layout or self._layout_of(head, source)
        if self.layout == "parquet":
            yield from self._parquet(source)
            return
        is_json = self.layout == "json"
        self.encoding = self.encoding or encodings.detected(head, is_json)
        chunks = encodings.chunks(source.stream, source.name, self.encoding, self.not_utf_8 if is_json else None)
        yield from JsonStrings(self.not_json).blocks(chunks) if is_json else by_lines(chunks)

    def _layout_of(self, head: bytes, source: inputs.Input) -> Layout:
        endings = inputs.endings(self._path)
        if any(ending in _JSON for ending in endings):
            return "json"
        named = bool(endings) and endings[-1] in parquet.ENDINGS
        if named or (head.startswith(parquet.MAGIC) and b"\0" in head):
            return "parquet"
        told = source.size is not None and endings and endings[-1] != ".log"
        encoding = self.encoding or encodings.detected(head, True)
        text = head.decode(encoding, "ignore").removeprefix("\ufeff").encode(errors="ignore")
        return "json" if not told and begins_json(text) else "text"

    def _parquet(self, source: inputs.Input) -> Iterator[Block]:
        if source.size is None or source.stream is not source.stored:
            raise ScanError(f"{self.name} is Parquet, which cannot be read out of a pipe or an archive; name a file")
        self._stored, self._position = None, source.size
        yield from parquet.blocks(self._path)


def check(path: Path) -> None:
    """Raise ScanError where an input cannot be read, as far as that can be told without reading it."""
    inputs.check(path)
    if path.suffix.lower() in parquet.ENDINGS and stat.S_ISREG(path.stat().st_mode):
        parquet.library()
