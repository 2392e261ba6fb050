"""Where a command's records go and what of them is shown: JSON Lines, or what its presenter makes of them.

With --json standard output carries every record as it comes, else what is drawn; under --output they go into a folder
as well. One object decides, so that no command asks which it is. Standard error carries everything else: one line that
says what runs, progress, remarks.
"""

import itertools
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import RenderableType

from negtemp.cli.messages import say
from negtemp.errors import OutputError
from negtemp.printable import encoded, printable_path, printable_text
from negtemp.records import Completion, Header, Record, Step, to_line
from negtemp.runs.lines import NAME as RECORDS
from negtemp.theory.temperature import Temperature
from negtemp.views import console, progress
from negtemp.views.presenters import Presenter


@dataclass(frozen=True)
class Output:
    """The output of one command: lines of records to every stream, drawings unless standard output has the records."""

    streams: tuple[IO[str], ...]
    json: bool

    def begin(self, header: Header) -> None:
        """Write the first record."""
        self.write(header)

    def write(self, record: Record) -> None:
        """One flushed line to each stream. Raises OutputError where a file cannot take it."""
        if self.streams:
            line = to_line(record) + "\n"
            for stream in self.streams:
                stream.write(line)
                stream.flush()

    def tee(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, each written as it passes."""
        for record in records:
            self.write(record)
            yield record

    def present(
        self, header: Header, records: Iterable[Record], presenter: Presenter, everything: bool = False
    ) -> None:
        """Write every record as it comes, and draw them unless they stand on standard output already."""
        self.draw(header, self.tee(records), presenter, everything)

    def draw(self, header: Header, records: Iterable[Record], presenter: Presenter, everything: bool = False) -> None:
        """Draw records that are written already, below one line on standard error that says what ran."""
        if self.json:
            deque(records, maxlen=0)
            return
        out = console.stdout()
        self.show(_titled(presenter(header, records, out, everything), console.title(header)))

    def show(self, parts: Iterable[RenderableType]) -> None:
        """Draw parts of no presenter, such as a forecast, unless standard output is for records."""
        if not self.json:
            out = console.stdout()
            for part in parts:
                out.print(part, soft_wrap=isinstance(part, console.Line))

    def stream(self, header: Header, records: Iterable[Record], prompts: Sequence[str], title: str) -> None:
        """Write every record as it comes, and draw each token at once: the prompt dim, the tokens, then the figures."""
        records = self.tee(records)
        if self.json:
            deque(records, maxlen=0)
            return
        _stream(records, header.model.vocabulary, iter(prompts), console.title(header, title))


def _titled(parts: Iterable[RenderableType], title: str) -> Iterator[RenderableType]:
    """The parts, with a line on standard error before the first.

    That one proves that the request is sound: a refused request is one line, without a title above it.
    """
    for number, part in enumerate(parts):
        if number == 0:
            console.stderr().print(title, style="dim", soft_wrap=True)
        yield part


def _stream(records: Iterable[Record], vocab: int, prompts: Iterator[str], title: str) -> None:
    out, err, text = console.stdout(), console.stderr(), console.Stream(vocab)
    try:
        for number, record in enumerate(records):
            if number == 0:
                err.print(title, style="dim", soft_wrap=True)
                if out.color_system and not out.no_color:
                    err.print(console.legend())
            if isinstance(record, Completion):
                console.plain(out, text.end(record.stop))
                out.print()
                err.print(console.figures(record, vocab), style="dim")
            elif isinstance(record, Step):
                if record.position == 0:
                    console.plain(out, console.safe(encoded(next(prompts)), "dim"))
                console.plain(out, text.add(record))
    except KeyboardInterrupt:
        console.plain(out, text.end())
        out.print()
        note("interrupted; what is above is all there is")
        raise


def temperature_and_seed(at: Temperature, seed: int) -> str:
    """What a title says of a run at one temperature."""
    return f"{console.temperature(at)} · seed {seed}"


@contextmanager
def opened(json: bool, folder: Path | None = None) -> Iterator[Output]:
    """The output that --json and --output ask for. Raises OutputError where the folder will not take the records."""
    streams = (sys.stdout,) if json else ()
    if folder is None:
        yield Output(streams, json)
        return
    with _create(folder) as file:
        yield Output((*streams, file), json)


def _create(folder: Path) -> IO[str]:
    shown = printable_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / RECORDS).open("x", encoding="utf-8")
    except FileExistsError:
        raise OutputError(f"{shown} holds {RECORDS} already, or is a file; give another folder to --output") from None
    except OSError as error:
        reason = printable_text(str(error.strerror), keep=" ")
        raise OutputError(f"cannot write to {shown}: {reason}; give another folder to --output") from None


def free_folder(name: str) -> Path:
    """A folder of this name below `negtemp-runs` that does not exist yet; later ones are numbered."""
    first = Path("negtemp-runs") / name
    others = (first.with_name(f"{name}-{number}") for number in itertools.count(2))
    return first if not first.exists() else next(path for path in others if not path.exists())


def progress_bar(items: Iterable[object], total: int, what: str) -> Iterator[object]:
    """The items, with a progress bar on standard error."""
    return progress.tracked(items, total, what, console.stderr())


def tracked(records: Iterable[Record], total: int) -> Iterator[Record]:
    """The records, with a progress bar on standard error."""
    return progress.tracked(records, total, "decoding", console.stderr())


def warn(lines: Iterable[str]) -> None:
    """Say what the user should know before the result, on standard error."""
    for line in lines:
        say(line)


def note(line: str) -> None:
    """Say something about the run itself, on standard error."""
    console.stderr().print(line, style="dim", soft_wrap=True)


def require_writable(*paths: Path | None) -> None:
    """Raise OutputError where a file cannot be; for a check before the work that it is for."""
    for path in paths:
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            problem = "is a folder" if path.is_dir() else "would be in a folder that does not exist"
            raise OutputError(f"{printable_path(path)} {problem}; give another file")
