"""The loops that draw records as they come: a stream for `run`, tables for `compare`, charts
for `spectrum`; `views` says how each looks.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType

from negtemp.cli.messages import say
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import (
    ClaimVerdict,
    Completion,
    Header,
    PublishedToken,
    Record,
    Repetition,
    Spectrum,
    Step,
    Thermo,
    Trial,
)
from negtemp.theory.temperature import Temperature
from negtemp.views import console, progress, thermo
from negtemp.views import trials as asked
from negtemp.views import verdicts as judged


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
        for record in _titled(records, lambda: err.print(title, style="dim")):
            if isinstance(record, Completion):
                console.plain(out, text.end())
                out.print()
                err.print(console.figures(record, vocab), style="dim")
            elif isinstance(record, Step):
                if record.position == 0:
                    console.plain(out, console.safe(next(waiting).encode("utf-8", "surrogateescape"), "dim"))
                console.plain(out, text.add(record))
    except KeyboardInterrupt:
        out.print()
        err.print("interrupted; what is above is all there is", style="dim")
        raise


def _titled(records: Iterable[Record], show: Callable[[], None]) -> Iterator[Record]:
    """The records, with `show` called before the first."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is not None:
        show()
        yield first
        yield from iterator


def table(records: Iterable[Record], header: Header, columns: int) -> None:
    """Draw completions side by side once they are all there."""
    completions = _in_order(records)
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim")
    rows = [completions[start : start + columns] for start in range(0, len(completions), columns)]
    for piece in console.comparison(rows, header.model.vocabulary, out):
        out.print(piece)


def token_tables(records: Iterable[Record], header: Header, vocabulary: Vocabulary) -> None:
    """Draw each completion token by token."""
    steps: defaultdict[int, list[Step]] = defaultdict(list)

    def collected() -> Iterator[Record]:
        for record in records:
            if isinstance(record, Step):
                steps[record.sequence].append(record)
            yield record

    completions = _in_order(collected())
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim")
    for completion in completions:
        categories = {token_id: vocabulary.category(token_id) for token_id in set(completion.token_ids)}
        for piece in console.token_table(completion, steps[completion.sequence], categories, vocabulary.size):
            out.print(piece)


def places(records: Iterable[Record]) -> list[tuple[list[Thermo], Spectrum]]:
    """The states and the summary of each distribution, in the order in which they came."""
    found: list[tuple[list[Thermo], Spectrum]] = []
    states: list[Thermo] = []
    for record in records:
        if isinstance(record, Thermo):
            states.append(record)
        elif isinstance(record, Spectrum):
            found.append((states, record))
            states = []
    return found


def spectra(places: Iterable[tuple[Sequence[Thermo], Spectrum]], header: Header, as_table: bool) -> None:
    """Draw each prompt's distribution in full, then a row for each position of its continuation."""
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim")
    for _, group in groupby(places, key=lambda place: place[1].sequence):
        walk = list(group)
        pieces = thermo.report(*walk[0], out, as_table)
        if len(walk) > 1:
            pieces += thermo.journey([summary for _, summary in walk], out)
        for piece in pieces:
            out.print(piece)


def pieces(drawn: Iterable[RenderableType], header: Header) -> None:
    """Say what was measured, then print the parts of a report."""
    console.stderr().print(console.title(header), style="dim")
    out = console.stdout()
    for piece in drawn:
        out.print(piece)


def _in_order(records: Iterable[Record]) -> list[Completion]:
    return sorted((r for r in records if isinstance(r, Completion)), key=lambda completion: completion.sequence)


def trials(records: Iterable[Record], header: Header, everything: bool) -> None:
    """Draw what asking for tokens showed, once it is all there."""
    found = list(records)
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim")
    out.print(asked.table([r for r in found if isinstance(r, Trial)], everything, out.width))
    for record in found:
        if isinstance(record, Repetition):
            out.print("\n".join(asked.conclusion(record)))


def warn(lines: Iterable[str]) -> None:
    """Say what the user should know before the result, on standard error."""
    for line in lines:
        say(line)


def verdicts(records: Iterable[Record], header: Header) -> None:
    """Draw the first prompt at both signs, then the verdicts, and the published tokens that the vocabulary holds."""
    found = list(records)
    out = console.stdout()
    console.stderr().print(console.title(header), style="dim")
    for piece in console.comparison([_in_order(found)[:2]], header.model.vocabulary, out):
        out.print(piece)
    claims = [record for record in found if isinstance(record, ClaimVerdict)]
    for line in judged.shown(claims, out.width):
        out.print(line)
    named = [record for record in found if isinstance(record, PublishedToken)]
    if named:
        out.print(judged.published(named))


def note(line: str) -> None:
    """Say something about the run itself, on standard error."""
    console.stderr().print(line, style="dim", soft_wrap=True)
