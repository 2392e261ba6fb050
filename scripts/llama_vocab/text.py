"""English prose from two Debian packages, fetched by name and never committed.

    r-cran-janeaustenr   Jane Austen's six novels (public domain; the R package that holds them is MIT)
    python3.11-doc       Python's documentation (PSF licence)

Kept are runs of plain sentences, as for the bundled model (`tiny_model.corpus`), in pages that are either read or held
out as a whole. A text is a few consecutive paragraphs of one page.

Source: R's serialisation format, "R Internals", section 1.8 (version 2 and 3, XDR).
"""

import struct
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

from tiny_model.corpus import Document, html_pages, is_held_out, prose

PACKAGES = {
    "r-cran-janeaustenr": "Jane Austen's novels (public domain; R package janeaustenr, MIT)",
    "python3.11-doc": "Python 3.11's documentation (PSF licence)",
}
NOVELS = Path("r-cran-janeaustenr/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb")
PARAGRAPHS_A_PAGE = 40
SHORTEST_TEXT = 600  # characters

_STRINGS, _CHARACTERS, _MISSING = 16, 9, -1
_SERIALISED = b"X\n"


def fetch(folder: Path) -> None:
    """Unpack those of PACKAGES that `folder` lacks, with apt. Raises CalledProcessError where apt cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if (folder / name).is_dir():
            continue
        subprocess.run(["apt-get", "download", "-qq", name], cwd=folder, check=True)
        for file in folder.glob(f"{name}_*.deb"):
            subprocess.run(["dpkg-deb", "-x", file, folder / name], check=True)
            file.unlink()


def read_texts(folder: Path) -> tuple[list[str], list[str]]:
    """Texts to train on and texts that are held out, the same on every call. Raises FileNotFoundError."""
    pages = list(prose(chain(novel_pages(folder / NOVELS), html_pages(folder / "python3.11-doc"))))
    training = [text for page in pages if not is_held_out(page) for text in texts(page)]
    return training, [text for page in pages if is_held_out(page) for text in texts(page)]


def texts(page: Document) -> Iterator[str]:
    """The paragraphs of a page, joined by line feeds into texts of at least SHORTEST_TEXT characters but the last."""
    joined: list[str] = []
    for paragraph in page.paragraphs:
        joined.append(paragraph)
        if sum(map(len, joined)) >= SHORTEST_TEXT:
            yield "\n".join(joined)
            joined = []
    if joined:
        yield "\n".join(joined)


def novel_pages(database: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and paragraphs of every PARAGRAPHS_A_PAGE paragraphs of each novel in an R package's database of objects."""
    for number, lines in enumerate(string_vectors(database.read_bytes())):
        found = paragraphs(lines)
        for start in range(0, len(found), PARAGRAPHS_A_PAGE):
            yield f"novel {number} from paragraph {start}", found[start : start + PARAGRAPHS_A_PAGE]


def paragraphs(lines: Sequence[str]) -> list[str]:
    """Lines joined up to each empty one; underscores, which stand for italics, left out, and dashes set apart."""
    blocks = (" ".join(block) for filled, block in groupby(lines, key=bool) if filled)
    return [block.replace("_", "").replace("--", " - ") for block in blocks]


def string_vectors(database: bytes) -> Iterator[list[str]]:
    """The character vectors in the bytes of an `.rdb` file: chunks of a length and a zlib stream, one object each."""
    while database:
        stream = zlib.decompressobj()
        found = strings(stream.decompress(database[4:]))
        database = stream.unused_data
        if found:
            yield found


def strings(serialised: bytes) -> list[str]:
    """The strings of a serialised character vector; none of any other object."""
    at = 14 if serialised[:2] == _SERIALISED else 0
    if serialised[2:6] == struct.pack(">i", 3):  # version 3 names the encoding
        at += 4 + struct.unpack_from(">i", serialised, at)[0]
    kind, count = struct.unpack_from(">ii", serialised, at)
    return list(_strings(serialised, at + 8, count)) if kind & 0xFF == _STRINGS else []


def _strings(serialised: bytes, at: int, count: int) -> Iterator[str]:
    for _ in range(count):
        kind, length = struct.unpack_from(">ii", serialised, at)
        assert kind & 0xFF == _CHARACTERS
        at += 8
        yield "" if length == _MISSING else serialised[at : at + length].decode("utf-8")
        at += max(length, 0)
