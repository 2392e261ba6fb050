"""Records on a terminal or in a pipe: streamed text, the side-by-side table, the token tables, the figures line.

Model text never meets rich's markup: it is always a `Text`, made from `printable`. Colour follows how unlikely a token
was, its surprisal as a share of ln V, and is never the only signal. Without a terminal nothing is cropped or wrapped:
a table is as wide as what it holds. It leaves out progress (`progress`) and JSON (`records`).
"""

import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from negtemp.printable import counted, escape_hostile, printable_text, runs, split_partial
from negtemp.records import Completion, Header, Step, Stop
from negtemp.theory.temperature import Temperature

# that a table of every token shows
MOST_ROWS = 5000

Row = TypeVar("Row")

_UNCROPPED = 1 << 14
_NARROWEST_COLUMN = 24
# columns of a piece: at most so wide, and so wide where columns have to be stacked; what separates two
PIECE_WIDTH, NARROWEST_PIECE = 60, 12
_BETWEEN, _EDGES = 3, 1
# cividis, lightened to be readable on dark and light grounds: likely tokens plain, the least likely brightest
_SHADES = ("", "#5b7fb5", "#7f8f9e", "#a39f78", "#c8a83c", "#e0a000 bold")
_ESCAPE = "dim"


class Line(str):
    """A text that is drawn on one line however narrow the terminal is, as one that holds a path must be."""


def stdout(file: IO[str] | None = None) -> Console:
    """The console of results: as wide as the terminal, or as what it holds where there is no terminal."""
    stream = file or sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else _UNCROPPED
    return SafeConsole(file=stream, width=wide, highlight=False, markup=False, emoji=False, soft_wrap=False)


def lead_nowhere(stream: IO[str]) -> None:
    """Redirect a stream to the null device, so that flushing it, at exit at the latest, cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class SafeConsole(Console):
    """A console that makes every plain string harmless; a `Text` is styled, and made from `printable` where it must."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escape_hostile(text, keep="\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Whatever is drawn, made harmless once more: a saved run may hold any text where a name is meant."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or (text.isascii() and text.isprintable()):
                yield segment
            else:
                yield Segment(escape_hostile(text, keep="\n"), segment.style)


class _Remarks(SafeConsole):
    """The console of remarks. Where nobody reads them any more they are dropped, and the result goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        lead_nowhere(self.file)


def stderr() -> Console:
    """The console of everything else."""
    return _Remarks(stderr=True, highlight=False, markup=False, emoji=False)


def stacked(table: Table, width: int) -> list[Table]:
    """The table, or where it is wider than `width` several one below the other, each with the first column.

    Columns that may be folded count with at most `NARROWEST_PIECE`; neither a number nor an id is ever broken.
    """
    needed = [_needed(column) for column in table.columns]
    groups: list[list[int]] = [[0]]
    for place in range(1, len(needed)):
        if len(groups[-1]) > 1 and sum(needed[i] for i in [*groups[-1], place]) + _EDGES > width:
            groups.append([0])
        groups[-1].append(place)
    return [table] if len(groups) == 1 else [_with_columns(table, group) for group in groups]


def _needed(column: Column) -> int:
    """The width of a column with what separates it from the next."""
    widest = max(map(_cells, (column.header, *column.cells)))
    return (widest if column.no_wrap else min(widest, NARROWEST_PIECE)) + _BETWEEN


def _cells(part: RenderableType) -> int:
    return part.cell_len if isinstance(part, Text) else cell_len(str(part))


def _with_columns(table: Table, places: Sequence[int]) -> Table:
    made = Table(box=table.box, padding=table.padding, pad_edge=table.pad_edge, show_edge=table.show_edge)
    chosen = [table.columns[place] for place in places]
    for column in chosen:
        made.add_column(
            column.header, justify=column.justify, no_wrap=column.no_wrap, overflow=column.overflow,
            max_width=column.max_width,
        )  # fmt: skip
    for cells in zip(*(column.cells for column in chosen), strict=True):
        made.add_row(*cells)
    return made


def shade(step: Step, vocab: int) -> str:
    """The style of a token by its surprisal at T = 1 as a share of ln V; an impossible token has the last."""
    share = -step.logprob / math.log(max(vocab, 2))
    return _SHADES[min(len(_SHADES) - 1, max(0, int(share * 3)))] if math.isfinite(share) else _SHADES[-1]


def safe(data: bytes, style: str = "", keep: str = " \n") -> Text:
    """Bytes as a `Text` in one style, with what is escaped dimmed."""
    text = Text(style=style)
    for piece, is_escape in runs(data, keep):
        text.append(piece, _ESCAPE if is_escape else None)
    return text


class Stream:
    """Steps of one sequence to text that can be shown at once; half a UTF-8 character waits for its other half.

    A step is shown when the next has come: the last one may end the generation, and such a token is no text.
    """

    def __init__(self, vocab: int) -> None:
        self._vocab = vocab
        self._waiting = b""
        self._last: Step | None = None

    def add(self, step: Step) -> Text:
        """What can be shown now that this step has come."""
        before, self._last = self._last, step
        return Text() if before is None else self._shown(before)

    def end(self, stop: Stop | None = None) -> Text:
        """What was still waiting; half a character as escapes."""
        last, self._last = self._last, None
        text = Text() if last is None or stop == "eog" else self._shown(last)
        waiting, self._waiting = self._waiting, b""
        return text.append_text(safe(waiting))

    def _shown(self, step: Step) -> Text:
        ready, self._waiting = split_partial(self._waiting + step.raw)
        return safe(ready, shade(step, self._vocab))


def streamed(steps: Iterable[Step], stop: Stop | None, vocab: int) -> Text:
    """Steps that are all there already, as `Stream` shows them; `stop` is None where the generation was cut off."""
    stream, text = Stream(vocab), Text()
    for step in steps:
        text.append_text(stream.add(step))
    return text.append_text(stream.end(stop))


def cut(rows: Sequence[Row]) -> tuple[Sequence[Row], list[Text]]:
    """The rows that a table of every token shows, and a line of how many it leaves out, if any.

    Drawing 262,144 rows takes minutes and nobody reads them.
    """
    if len(rows) <= MOST_ROWS:
        return rows, []
    return rows[:MOST_ROWS], [Text(f" … {MOST_ROWS:,} of {len(rows):,} rows; --all with --json gives all", style="dim")]


def legend() -> Text:
    """What the colours of a stream mean."""
    words = ("likely", "", "", "", "", "unlikely")
    return Text.assemble("colour: surprisal of each token at T=1, ", *(
        (word or "·", style) for word, style in zip(words, _SHADES, strict=True)
    ), style="dim")  # fmt: skip


def temperature(value: Temperature) -> str:
    """T and beta as every view names them.

    >>> temperature(Temperature.of(-0.001))
    'T=-0.001 (β=-1000)'
    """
    return f"T={_signed(value.temperature)} (β={_signed(value.beta)})"


def _signed(value: float) -> str:
    return "0" if value == 0 and math.copysign(1, value) > 0 else f"{value:+.6g}"


def figures(completion: Completion, vocab: int) -> str:
    """The figures of one completion, in one line."""
    count = len(completion.token_ids)
    parts = [counted(count, "token")]
    if completion.tokens_per_second is not None:
        parts.append(f"{completion.tokens_per_second:,.0f} tokens/s" if completion.tokens_per_second >= 10
                     else f"{completion.tokens_per_second:.2f} tokens/s")  # fmt: skip
    if completion.mean_logprob is not None and completion.mean_rank is not None:
        parts.append(f"mean log-probability {completion.mean_logprob:.2f} nats")
        parts.append(f"mean rank {completion.mean_rank:,.0f} of {vocab:,}")
    if completion.distinct is not None:
        parts.append(f"distinct {completion.distinct:.0%}")
    if completion.median_centroid_percentile is not None:
        parts.append(f"median centroid percentile {completion.median_centroid_percentile:.0f}")
    return " · ".join([*parts, f"stop: {completion.stop}"])


def title(header: Header, extra: str = "") -> str:
    """One line that says what is running."""
    parts = [f"{header.model.name} ({header.model.description})", extra]
    return " · ".join(part for part in parts if part)


def comparison(rows: Sequence[Sequence[Completion]], vocab: int, console: Console) -> list[Table | Text]:
    """The table of `compare`: a column for each temperature, a row for each prompt and seed, figures under each.

    Where the terminal is too narrow for the columns, and in a pipe, where each text is a line, the completions stand
    one below the other.
    """
    if not rows:
        return []
    if console.width < _NARROWEST_COLUMN * len(rows[0]) or console.width == _UNCROPPED:
        whole = console.width == _UNCROPPED
        return [piece for row in rows for completion in row for piece in _stacked(completion, vocab, whole)]
    table = Table(box=box.ROUNDED, show_lines=True, padding=(0, 1))
    for completion in rows[0]:
        table.add_column(Text(temperature(completion.temperature), style="bold"), ratio=1, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(completion, vocab, False) for completion in row))
    table.expand = True
    return [table]


def _cell(completion: Completion, vocab: int, one_line: bool) -> Text:
    """Prompt dim, completion, figures. `text` is a safe view already; a table keeps its lines whole in a pipe."""
    keep = " " if one_line else " \n"
    prompt = printable_text(completion.prompt, keep)
    text = completion.text.replace("\n", "\\n") if one_line else completion.text
    figure_line = f"seed {completion.seed} · {figures(completion, vocab)}"
    return Text.assemble((prompt, "dim"), text, "\n" if one_line else "\n\n", (figure_line, "dim italic"))


def _stacked(completion: Completion, vocab: int, one_line: bool) -> list[Table | Text]:
    return [Text(temperature(completion.temperature), style="bold"), _cell(completion, vocab, one_line), Text()]


def token_table(
    completion: Completion, steps: Iterable[Step], categories: Mapping[int, str], vocab: int
) -> list[Table | Text]:
    """One sequence token by token. The piece stands last, so that right-to-left letters disturb nothing."""
    prompt = printable_text(completion.prompt, keep=" ")
    heading = Text.assemble(
        (temperature(completion.temperature), "bold"), f" · seed {completion.seed} · ", (prompt, "dim")
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("#", "id", "log-prob", "rank", "gap"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("category", no_wrap=True)
    table.add_column("piece", overflow="fold", max_width=PIECE_WIDTH)
    for step in steps:
        table.add_row(
            str(step.position), str(step.token_id), f"{step.logprob:.2f}", str(step.rank), f"{step.gap:.3g}",
            Text(categories[step.token_id]), safe(step.raw, shade(step, vocab), keep=""),
        )  # fmt: skip
    return [heading, table, Text(figures(completion, vocab), style="dim italic"), Text()]


def plain(console: Console, text: Text) -> None:
    """Write a piece of a stream as it is: no wrapping, no newline, control sequences of style only."""
    console.print(text, end="", soft_wrap=True)
