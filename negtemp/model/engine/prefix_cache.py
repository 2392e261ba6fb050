"""PrefixCache held in the KV cache, each decoded once, for the generations that begin with them.

A prompt occupies a sequence of its own; a generation that needs it gets its cells and the logits after it. What a new
prompt has in common with a held one is shared instead of decoded again. An unused prompt stays until its cells or its
sequence are needed. It leaves out generations (`engine`).

A recurrent state cannot be cut, so models that have one share whole prompts only.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from negtemp.model.llama.context import Context, Logits

Prompt = tuple[int, ...]


@dataclass(slots=True)
class _Held:
    """A decoded prompt: the sequence it lies on, the logits after it `[vocab]`, how many generations use it."""

    sequence: int
    logits: Logits
    users: int = 0


class PrefixCache:
    """Decoded prompts on the free `sequences` of a context, in the order of their last use."""

    def __init__(self, context: Context, sequences: Iterable[int], *, shares_beginnings: bool, keeps: bool) -> None:
        """`keeps`: whether a prompt outlives its last user."""
        self._context = context
        self._free = list(sequences)
        self._shares_beginnings, self._keeps = shares_beginnings, keeps
        self._held: dict[Prompt, _Held] = {}

    @property
    def cells(self) -> int:
        """Cells that the held prompts take, shared beginnings counted in each."""
        return sum(map(len, self._held))

    def fits(self, prompt: Prompt, cells: int) -> bool:
        """Whether the prompt is held or can be, within `cells` cells for all prompts; makes room if that helps."""
        if prompt in self._held:
            return self.cells <= cells or self._make_room(cells, keep=prompt)
        return self._make_room(cells - len(prompt), keep=prompt, sequences=1)

    def _make_room(self, cells: int, keep: Prompt, sequences: int = 0) -> bool:
        unused = [prompt for prompt, held in self._held.items() if not held.users and prompt != keep]
        for prompt in unused:
            if self.cells <= cells and len(self._free) >= sequences:
                break
            self._forget(prompt)
        return self.cells <= cells and len(self._free) >= sequences

    def use(self, prompt: Prompt, slot: int) -> Logits:
        """Give `slot` the prompt's cells; the logits after it, `[vocab]`, good while it is used."""
        held = self._held.pop(prompt, None) or self._decode(prompt)
        self._held[prompt] = held  # the latest used stands last
        held.users += 1
        self._context.share(held.sequence, slot)
        return held.logits

    def _decode(self, prompt: Prompt) -> _Held:
        sequence, start = self._free.pop(), 0
        if self._shares_beginnings and self._held:
            nearest = max(self._held, key=lambda other: _common(prompt, other))
            start = min(_common(prompt, nearest), len(prompt) - 1)  # the last token is decoded for its logits
            if start:
                self._context.share(self._held[nearest].sequence, sequence, start)
        # the next decode overwrites the library's buffer
        return _Held(sequence, self._context.prompt(prompt, sequence, start).copy())

    def release(self, prompt: Prompt) -> None:
        """One generation less uses the prompt."""
        held = self._held[prompt]
        held.users -= 1
        if not held.users and not self._keeps:
            self._forget(prompt)

    def _forget(self, prompt: Prompt) -> None:
        sequence = self._held.pop(prompt).sequence
        self._context.drop(sequence)
        self._free.append(sequence)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return sum(1 for _ in same)
