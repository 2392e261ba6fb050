"""Statistics of the tokens drawn in one step, all rows at once: by the compiled loops where they are, else by numpy."""

from collections.abc import Sequence

from negtemp.model.engine.sampler import Draw
from negtemp.model.kernel import Drawn, Kernel
from negtemp.model.llama.context import Logits
from negtemp.theory.observation import Observed, Observer

Seen = tuple[Logits, Draw, float]
"""The logits `[vocab]`, what was drawn from them, and beta."""


class Statistics:
    """Observes rows of one vocabulary. Not for two threads at once."""

    def __init__(self, kernel: Kernel | None, vocab: int, threads: int) -> None:
        self._kernel, self._threads = kernel, threads
        self._observer = Observer(vocab)

    def observe(self, seen: Sequence[Seen]) -> list[Observed]:
        """What each row says about its token, in order."""
        # filters leave a mask of the whole vocabulary, which the loops do not take
        if self._kernel is None or any(draw.left_out is not None for _, draw, _ in seen):
            return [self._observer.observe(row, draw.token_id, beta, draw.barred) for row, draw, beta in seen]
        drawn = [Drawn(row, draw.token_id, beta, draw.masked) for row, draw, beta in seen]
        return self._kernel.observe(drawn, self._threads) if drawn else []
