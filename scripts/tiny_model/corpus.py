"""English text for the model: whole sentences out of Python's documentation, and a text of our own.

Kept of the documentation is the longest run of plain sentences in each paragraph. Left out are code
blocks, tables, signatures, lists of changes, identifiers, links, and whatever is not ASCII once
quotes and dashes are made plain.

Two sources hold that documentation. The HTML pages (a folder; Debian's package `python3.11-doc`
installs them) hold most of the prose. Without them, the interpreter's own help topics and
docstrings serve: less text, same words.
"""

import ast
import platform
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from pydoc_data.topics import topics
from textwrap import dedent

PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "-", "–": "-", "…": "..."})
SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"(])")
CHANGE_NOTE = re.compile(r"(Changed|New|Deprecated|Removed|Availability)\b.{0,40}:")
# Letters outside prose, identifiers, dotted names, calls, links, bug numbers, bylines.
NOT_PROSE = re.compile(
    r"[^A-Za-z0-9 .,;:'\"?!()%/-]|\w\.\w|\(\)|[a-z][A-Z]|[A-Z]{2,}[a-z0-9_]"
    r"|--|https?:|bpo|Contributed|contributed by"
)
INTERPRETER = f"help topics and docstrings of Python {platform.python_version()}"
SHORTEST_PARAGRAPH = 80
HELD_OUT_ONE_IN = 12


@dataclass(frozen=True)
class Document:
    """A page of running text, in paragraphs."""

    name: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """What the model learns from and what it is tested on; no paragraph is in two of the three."""

    training: tuple[Document, ...]
    held_out: tuple[Document, ...]
    own: tuple[str, ...]
    source: str


class ParagraphReader(HTMLParser):
    """Collects the text of `<p>` elements that stand outside code, tables and signatures."""

    SKIPPED = frozenset({"pre", "table", "dt", "script", "style", "nav", "footer"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self._pieces: list[str] | None = None
        self._skipped_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SKIPPED:
            self._skipped_depth += 1
        elif tag == "p" and not self._skipped_depth:
            self._pieces = []

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SKIPPED:
            self._skipped_depth -= 1
        elif tag == "p" and self._pieces is not None:
            self.paragraphs.append("".join(self._pieces))
            self._pieces = None

    def handle_data(self, data: str) -> None:
        if self._pieces is not None:
            self._pieces.append(data)


def plain_sentences(paragraph: str) -> str:
    """The longest run of consecutive plain sentences of a paragraph, or an empty string."""
    text = " ".join(paragraph.translate(PLAIN).split())
    if CHANGE_NOTE.match(text):
        return ""
    runs: list[list[str]] = [[]]
    for sentence in SENTENCE_END.split(text):
        if is_plain(sentence):
            runs[-1].append(sentence)
        else:
            runs.append([])
    best = max((" ".join(run) for run in runs), key=len)
    return best if len(best) >= SHORTEST_PARAGRAPH else ""


def is_plain(sentence: str) -> bool:
    """Whether a sentence begins with a capital, has an end, and holds nothing but prose."""
    return sentence[:1].isupper() and sentence[-1:] in ".?!" and not NOT_PROSE.search(sentence)


def html_pages(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and raw paragraphs of each HTML page below a folder, in a fixed order."""
    for path in sorted(folder.rglob("*.html")):
        reader = ParagraphReader()
        reader.feed(path.read_text(encoding="utf-8"))
        yield path.relative_to(folder).as_posix(), reader.paragraphs


def interpreter_pages() -> Iterator[tuple[str, list[str]]]:
    """Name and raw paragraphs of the interpreter's help topics and of its library's docstrings."""
    for name, text in sorted(topics.items()):
        yield f"topic {name}", text.split("\n\n")
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if not {"site-packages", "test", "tests"} & set(path.parts):
            yield path.relative_to(library).as_posix(), docstring_paragraphs(path)


def docstring_paragraphs(path: Path) -> list[str]:
    """Paragraphs of every docstring in a Python file; none if it does not parse."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return []
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
    return [block for text in texts if text for block in dedent(text).split("\n\n")]


def prose(pages: Iterator[tuple[str, list[str]]]) -> Iterator[Document]:
    """Documents of plain paragraphs, each paragraph kept only where it first occurs."""
    seen: set[str] = set()
    for name, paragraphs in pages:
        kept = []
        for text in map(plain_sentences, paragraphs):
            if text and text not in seen:
                seen.add(text)
                kept.append(text)
        if kept:
            yield Document(name, tuple(kept))


def is_held_out(document: Document) -> bool:
    """Whole pages are held out, chosen by their name alone, so that a new page moves no other."""
    return sha256(document.name.encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def own_paragraphs(path: Path) -> tuple[str, ...]:
    """Paragraphs of our own text: separated by blank lines, joined into one line each."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    return tuple(" ".join(block.split()) for block in blocks if block.strip())


def read_corpus(documentation: Path | None, own_text: Path, name: str | None = None) -> Corpus:
    """Reads what the model is trained and tested on; `name` is what to call the documentation.

    Raises FileNotFoundError if `documentation` is given and holds no HTML page.
    """
    if documentation and next(documentation.rglob("*.html"), None) is None:
        raise FileNotFoundError(f"no HTML pages below {documentation}")
    pages = html_pages(documentation) if documentation else interpreter_pages()
    documents = list(prose(pages))
    return Corpus(
        training=tuple(d for d in documents if not is_held_out(d)),
        held_out=tuple(d for d in documents if is_held_out(d)),
        own=own_paragraphs(own_text),
        source=name or ("Python's documentation in HTML" if documentation else INTERPRETER),
    )
