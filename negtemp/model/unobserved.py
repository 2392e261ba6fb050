"""Tokens that are drawn and not yet observed: statistics of a small model are taken a few tokens at a time.

After a decode numpy's code and buffers are gone from the processor's caches, and what one token's statistics cost is
bringing them back: on a model that decodes in a third of a millisecond, several tokens in a row take half the time. So
rows are kept, as many as fit half of a second-level cache, and never for longer than an eye notices. A token of a large
vocabulary is observed at once: its model takes so long for each that it would be waited for. It leaves out the
statistics themselves (`theory.observation`).
"""

import time
from collections.abc import Iterator

from negtemp.errors import DecodeError
from negtemp.model.context import Logits
from negtemp.model.generation import Generation
from negtemp.model.sampler import Draw
from negtemp.records import Step

# rows that wait at most, and their float32 values: 512 KiB
_MOST_ROWS, _MOST_VALUES = 64, 131072
_LARGE_VOCABULARY = 16384
_LONGEST_SECONDS = 0.02


class Unobserved:
    """Draws in their order, each with its logits."""

    def __init__(self, vocab: int) -> None:
        self._most = min(_MOST_ROWS, _MOST_VALUES // vocab) if vocab < _LARGE_VOCABULARY else 1
        self._waiting: list[tuple[Generation, int, Draw, Logits]] = []
        self._due = 0.0

    def draw(self, generation: Generation, logits: Logits) -> None:
        """Let a generation draw from `[vocab]` logits, which may be overwritten afterwards."""
        position = generation.count
        draw = generation.draw(logits)
        if not self._waiting:
            self._due = time.perf_counter() + _LONGEST_SECONDS
        self._waiting.append((generation, position, draw, logits.copy() if self._most > 1 else logits))

    @property
    def due(self) -> bool:
        """Whether no more may wait, or none any longer."""
        return len(self._waiting) >= self._most or time.perf_counter() >= self._due

    def steps(self) -> Iterator[Step]:
        """Observe all that waits; a generation whose logits are no numbers has an `error` from then on, and no step."""
        waiting, self._waiting = self._waiting, []
        for generation, position, draw, logits in waiting:
            if generation.error is None:
                try:
                    yield generation.observe(position, draw, logits)
                except DecodeError as error:
                    generation.error = str(error)
