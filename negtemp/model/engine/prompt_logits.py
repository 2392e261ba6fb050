"""What the model thinks comes next, for any number of prompts given as token ids, decoded many at a time.

Prompts are taken lazily, in groups of sequences that share one KV cache. What all prompts of a group begin with is
decoded once, on a sequence of its own, and shared; it stays for the next group, so a prompt with another token
spliced in costs only what comes after the splice. Rows of logits are raw and come one at a time: memory grows with the
vocabulary and the sequences, never with the number of prompts.

Batch size moves the last bits of the logits, and with flash attention, which llama.cpp switches on where it can, a few
hundredths of their spread. It leaves out drawing (`engine`) and what the rows mean.

Source: llama.h, `llama_memory_seq_cp`; many sequences in one decode as in llama.cpp's batched-bench.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from negtemp.errors import PromptError
from negtemp.model.llama.context import Context, Logits
from negtemp.model.llama.model import Model

SEQUENCES = 32

_CELLS = 2048
_ANCHOR = 0  # the sequence that holds what a group begins with


class Row(NamedTuple):
    """Logits `[vocab]` after the token at `position` of prompt number `prompt`."""

    prompt: int
    position: int
    logits: Logits


Entry = tuple[int, int, int, bool]  # token id, position, sequence, whether its row is wanted


class _Group(NamedTuple):
    """Prompts decoded together, and how many tokens all of them begin with."""

    prompts: tuple[tuple[int, ...], ...]
    shared: int

    @property
    def cells(self) -> int:
        return self.shared + sum(len(prompt) - self.shared for prompt in self.prompts)


def score(
    model: Model, prompts: Iterable[Sequence[int]], *, last: int | None = 1, sequences: int = SEQUENCES,
    threads: int | None = None,
) -> Iterator[Row]:  # fmt: skip
    """The rows after the `last` tokens of every prompt (None: after each of its tokens), in order.

    `sequences` prompts are decoded together at most. Raises PromptError for a prompt without a token or longer than
    the context that the model was trained on, ModelError for an id that does not exist, DecodeError.
    """
    decoder, first = _Decoder(model, sequences, threads), 0
    try:
        for group in _groups(_checked(model, prompts), last, sequences):
            yield from decoder.rows(group, first, last)
            first += len(group.prompts)
    finally:
        decoder.close()


def _checked(model: Model, prompts: Iterable[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    longest, size = model.trained_context, model.vocabulary.size
    for prompt in map(tuple, prompts):
        if not prompt:
            raise PromptError("a prompt to score has no token; give at least one token id")
        if len(prompt) > longest:
            raise PromptError(f"a prompt to score has {len(prompt)} tokens; the model takes {longest}: shorten it")
        for token_id in (min(prompt), max(prompt)):
            if not 0 <= token_id < size:
                model.vocabulary.piece(token_id)  # raises the one error that there is for this
        yield prompt


def _groups(prompts: Iterable[tuple[int, ...]], last: int | None, sequences: int) -> Iterator[_Group]:
    """Consecutive prompts, as many as the sequences and the cells hold."""
    group: _Group | None = None
    for prompt in prompts:
        joined = _joined(group, prompt, last)
        if group and (len(joined.prompts) > sequences or joined.cells > _CELLS):
            yield group
            joined = _joined(None, prompt, last)
        group = joined
    if group:
        yield group


def _joined(group: _Group | None, prompt: tuple[int, ...], last: int | None) -> _Group:
    """The group with one more prompt; tokens whose rows are wanted are never shared."""
    before, own = (group.prompts, group.shared) if group else ((), len(prompt))
    most = min(own, len(prompt) - min(last or len(prompt), len(prompt)))
    return _Group((*before, prompt), _common(before[0], prompt, most) if before else most)


def _common(first: Sequence[int], second: Sequence[int], most: int) -> int:
    """How many tokens, `most` at most, two prompts begin with."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first[:most], second[:most], strict=True))
    return sum(1 for _ in same)


class _Decoder:
    """A context that grows to the largest group seen, and remembers what its anchor sequence holds."""

    def __init__(self, model: Model, sequences: int, threads: int | None) -> None:
        self._model, self._sequences, self._threads = model, sequences, threads
        self._context: Context | None = None
        self._cells = 0
        self._anchored: tuple[int, ...] = ()

    def rows(self, group: _Group, first: int, last: int | None) -> Iterator[Row]:
        """The wanted rows of a group whose prompts are numbered from `first`."""
        context = self._room_for(group)
        self._anchor(context, group.prompts[0][: group.shared])
        for sequence in range(1, len(group.prompts) + 1):
            context.share(_ANCHOR, sequence)
        entries = [
            (token_id, position, sequence, last is None or position >= len(prompt) - last)
            for sequence, prompt in enumerate(group.prompts, start=1)
            for position, token_id in enumerate(prompt[group.shared :], start=group.shared)
        ]
        for piece in _pieces(entries, context.capacity, self._sequences):
            wanted = [(sequence, position) for _, position, sequence, is_wanted in piece if is_wanted]
            for (sequence, position), logits in zip(wanted, context.batch(piece), strict=True):
                yield Row(first + sequence - 1, position, logits.copy())

    def _room_for(self, group: _Group) -> Context:
        """The context, made anew where a group needs more cells than it has."""
        if self._context is None or group.cells > self._cells:
            self.close()
            self._cells = max(group.cells, min(_CELLS, self._sequences * self._model.trained_context))
            self._context = Context(self._model, self._sequences + 1, self._cells, self._threads)
        return self._context

    def _anchor(self, context: Context, prefix: tuple[int, ...]) -> None:
        """Let the anchor hold exactly `prefix`, keeping what it has of it."""
        for sequence in range(1, self._sequences + 1):
            context.drop(sequence)
        kept = _common(self._anchored, prefix, min(len(self._anchored), len(prefix)))
        if kept < len(self._anchored) and not context.drop(_ANCHOR, kept):
            context.drop(_ANCHOR)
            kept = 0
        entries = [(prefix[position], position, _ANCHOR, False) for position in range(kept, len(prefix))]
        for piece in _pieces(entries, context.capacity, self._sequences):
            context.batch(piece)
        self._anchored = prefix

    def close(self) -> None:
        if self._context:
            self._context.close()
            self._context = None
        self._anchored = ()


def _pieces(entries: Sequence[Entry], capacity: int, wanted: int) -> Iterator[list[Entry]]:
    """Consecutive entries, at most `capacity` in a piece and `wanted` rows."""
    piece: list[Entry] = []
    rows = 0
    for entry in entries:
        if len(piece) == capacity or rows + entry[3] > wanted:
            yield piece
            piece, rows = [], 0
        piece.append(entry)
        rows += entry[3]
    if piece:
        yield piece
