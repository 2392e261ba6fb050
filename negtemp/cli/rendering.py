"""What is drawn while records come: the stream of `run`, progress, remarks on standard error."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console

from negtemp.cli.messages import say
from negtemp.records import Completion, Header, Record, Step
from negtemp.theory.temperature import Temperature
from negtemp.views import console, progress


def drain(records: Iterable[Record]) -> None:
    """Let the records pass, as under --json, where the sink has written them."""
    deque(records, maxlen=0)


def progress_bar(items: Iterable[object], total: int, what: str) -> Iterator[object]:
    """The items, with a progress bar on standard error."""
    return progress.tracked(items, total, what, console.stderr())


def tracked(records: Iterable[Record], total: int) -> Iterator[Record]:
    """The records, with a progress bar on standard error."""
    return progress.tracked(records, total, "decoding", console.stderr())


def stream(records: Iterable[Record], header: Header, prompts: Sequence[str], at: Temperature, seed: int) -> None:
    """Draw the prompt dim, the tokens as they come, then the figures; end the line even when interrupted."""
    out, err = console.stdout(), console.stderr()
    vocab = header.model.vocabulary
    title = console.title(header, f"{console.temperature(at)} · seed {seed}")
    text, waiting = console.Stream(vocab), iter(prompts)
    try:
        # the first record proves that the request is sound: a refused one is one line, without a title above it
        for record in _titled(records, lambda: _head(out, err, title)):
            if isinstance(record, Completion):
                console.plain(out, text.end(record.stop))
                out.print()
                err.print(console.figures(record, vocab), style="dim")
            elif isinstance(record, Step):
                if record.position == 0:
                    console.plain(out, console.safe(next(waiting).encode("utf-8", "surrogateescape"), "dim"))
                console.plain(out, text.add(record))
    except KeyboardInterrupt:
        console.plain(out, text.end())
        out.print()
        err.print("interrupted; what is above is all there is", style="dim")
        raise


def _head(out: Console, err: Console, title: str) -> None:
    """What runs, and what its colours mean where there are any."""
    err.print(title, style="dim")
    if out.color_system and not out.no_color:
        err.print(console.legend())


def _titled(records: Iterable[Record], show: Callable[[], None]) -> Iterator[Record]:
    """The records, with `show` called before the first."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is not None:
        show()
        yield first
        yield from iterator


def warn(lines: Iterable[str]) -> None:
    """Say what the user should know before the result, on standard error."""
    for line in lines:
        say(line)


def note(line: str) -> None:
    """Say something about the run itself, on standard error."""
    console.stderr().print(line, style="dim", soft_wrap=True)
