"""Where a command's records go and what of them is shown: JSON Lines, or what its presenter makes of them.

With --json standard output carries every record as it comes, else what the presenter draws; under --output they go into
a folder as well. One object decides, so that no command asks which it is.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from negtemp.cli import session
from negtemp.cli.session import Sink
from negtemp.records import Header, Record
from negtemp.views import console
from negtemp.views.presenters import Presenter


@dataclass(frozen=True)
class Output:
    """The output of one command."""

    sink: Sink
    json: bool

    def begin(self, header: Header) -> None:
        """Write the head of the records."""
        self.sink.write(header)

    def present(
        self, header: Header, records: Iterable[Record], presenter: Presenter, everything: bool = False
    ) -> None:
        """Write every record as it comes, and draw them unless they stand on standard output already."""
        self.draw(header, self.sink.tee(records), presenter, everything)

    def draw(self, header: Header, records: Iterable[Record], presenter: Presenter, everything: bool = False) -> None:
        """Draw records that are written already, or let them pass under --json."""
        if self.json:
            deque(records, maxlen=0)
        else:
            draw(header, records, presenter, everything)


def draw(header: Header, records: Iterable[Record], presenter: Presenter, everything: bool) -> None:
    """Draw what a presenter makes of the records, below one line on standard error that says what ran."""
    out = console.stdout()
    # the first part proves that the request is sound: a refused one is one line, without a title above it
    for number, part in enumerate(presenter(header, records, out, everything)):
        if number == 0:
            console.stderr().print(console.title(header), style="dim", soft_wrap=True)
        out.print(part)


@contextmanager
def opened(json: bool, folder: Path | None) -> Iterator[Output]:
    """The output that --json and --output ask for. Raises OutputError where the folder will not take the records."""
    with session.sink(json, folder) as sink:
        yield Output(sink, json)
