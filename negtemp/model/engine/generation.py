"""One request under way: its sampler chain, what it has emitted, the statistics of its tokens, and its records.

Statistics come from the raw logits, before any filter (`theory.observation`), all rows of a step at once: by the
compiled loops where they are, else by numpy. It leaves out the decode that makes the logits, which many generations
share (`scheduler`).
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from negtemp.errors import DecodeError
from negtemp.model import kernel
from negtemp.model.engine.request import Request
from negtemp.model.engine.sampler import Candidates, Chain, Draw, draw_all
from negtemp.model.kernel import Drawn, Kernel
from negtemp.model.llama.context import Logits
from negtemp.model.llama.model import Model
from negtemp.printable import printable
from negtemp.records import Completion, Step, Stop
from negtemp.theory.coherence import longest_repeat
from negtemp.theory.observation import Observed, Observer

# rows that wait at most, and their float32 values: 512 KiB
_MOST_ROWS, _MOST_VALUES = 64, 131072
_LARGE_VOCABULARY = 16384
_LONGEST_SECONDS = 0.02


Seen = tuple[Logits, Draw, float]
"""The logits `[vocab]`, what was drawn from them, and beta."""


def drawn(generations: Sequence["Generation"], rows: Sequence[Logits], threads: int) -> list[Draw]:
    """What each generation draws next from its `[vocab]` logits, all of one step."""
    return draw_all([generation._chain for generation in generations], rows, threads)


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


class Buffers:
    """What the generations of one model draw and observe with, one after the other: so it stays in the caches."""

    def __init__(self, model: Model, threads: int) -> None:
        self.threads = threads
        self.candidates = Candidates(model.library.api, model.vocabulary.size)
        self.statistics = Statistics(kernel.find(model.library), model.vocabulary.size, threads)


class Generation:
    """One request in the slot (the cache's sequence) `slot`. Close it: it holds a chain of C samplers."""

    def __init__(self, model: Model, request: Request, slot: int, buffers: Buffers) -> None:
        self.request, self.slot = request, slot
        self.stop: Stop | None = None
        self.error: str | None = None
        self._vocabulary, self._centroid = model.vocabulary, model.centroid_percentiles
        self._chain = Chain(
            model.library, model.vocabulary.size, request.temperature, request.filters, request.seed,
            buffers.candidates, buffers.threads,
        )  # fmt: skip
        self._token_ids: list[int] = []
        self._logprob = self._rank = self._entropy = self._first = self._latest = 0.0

    @property
    def next_token(self) -> tuple[int, int, int]:
        """What to decode next: its last token, that token's position, its slot."""
        return self._token_ids[-1], len(self.request.prompt_token_ids) + len(self._token_ids) - 1, self.slot

    @property
    def count(self) -> int:
        """How many tokens it has drawn."""
        return len(self._token_ids)

    def take(self, draw: Draw) -> None:
        """The next token, as it was drawn."""
        self._token_ids.append(draw.token_id)
        self._latest = time.perf_counter()
        self._first = self._first or self._latest
        self.stop = self._stop(draw.token_id)

    def record(self, position: int, draw: Draw, seen: Observed) -> Step:
        """The record of what it drew as token number `position`. Raises DecodeError where logits are no numbers."""
        if math.isnan(seen.entropy):
            raise DecodeError("the model computes logits that are not numbers; its file is corrupt or not supported")
        self._logprob += seen.logprob
        self._rank += seen.rank
        self._entropy += seen.entropy
        return Step(
            sequence=self.request.sequence, position=position, token_id=draw.token_id,
            raw=self._vocabulary.piece(draw.token_id), logprob=seen.logprob, rank=seen.rank, entropy=seen.entropy,
            gap=seen.gap, sampled_logprob=draw.logprob,
            centroid_percentile=self._centroid[draw.token_id] if self._centroid else None,
        )  # fmt: skip

    def _stop(self, token_id: int) -> Stop | None:
        count = len(self._token_ids)
        if self._vocabulary.is_end(token_id):
            return "eog"
        if count >= self.request.n_predict:
            return "length"
        return "context" if len(self.request.prompt_token_ids) + count >= self.request.ctx_size else None

    def completion(self, stop: Stop) -> Completion:
        """The record of the finished sequence."""
        ids, request = self._token_ids, self.request
        count, seconds = len(ids), self._latest - self._first
        pieces = list(map(self._vocabulary.piece, ids))
        categories = Counter(map(self._vocabulary.category, ids))
        return Completion(
            sequence=request.sequence, prompt=request.prompt, prompt_token_ids=request.prompt_token_ids,
            temperature=request.temperature, seed=request.seed, token_ids=tuple(ids),
            text=printable(b"".join(pieces[:-1] if stop == "eog" else pieces), keep=" \n"), stop=stop,
            tokens_per_second=(count - 1) / seconds if seconds > 0 else None, mean_logprob=self._logprob / count,
            mean_rank=self._rank / count, distinct=len(set(ids)) / count, mean_entropy=self._entropy / count,
            longest_repeat=longest_repeat(ids), non_ascii=sum(not piece.isascii() for piece in pieces) / count,
            categories={category: tokens / count for category, tokens in sorted(categories.items())},
            median_centroid_percentile=median(self._centroid[i] for i in ids) if self._centroid else None,
        )  # fmt: skip

    def close(self) -> None:
        self._chain.close()


class DeferredStatistics:
    """Tokens that are drawn and not yet observed, in their order, each with its logits.

    Rows are observed many at a time, on all threads. Of a small vocabulary they are kept over several decodes, as many
    as fit half of a second-level cache, for 20 ms at most: after a decode the code and the buffers are gone from the
    processor's caches, and most of what one token's statistics cost would be bringing them back. Of a large one they
    are not copied, and have to be observed before the next decode.
    """

    def __init__(self, vocab: int, statistics: Statistics) -> None:
        self._statistics = statistics
        self.borrows = vocab >= _LARGE_VOCABULARY
        self._most = _MOST_ROWS if self.borrows else min(_MOST_ROWS, _MOST_VALUES // vocab)
        self._waiting: list[tuple[Generation, int, Draw, Logits]] = []
        self._due = 0.0

    def add(self, generation: Generation, draw: Draw, logits: Logits) -> None:
        """A draw from `[vocab]` logits, which may be overwritten afterwards unless it `borrows` them."""
        position = generation.count
        generation.take(draw)
        if not self._waiting:
            self._due = time.perf_counter() + _LONGEST_SECONDS
        self._waiting.append((generation, position, draw, logits if self.borrows else logits.copy()))

    @property
    def due(self) -> bool:
        """Whether no more may wait, or none any longer."""
        return len(self._waiting) >= self._most or time.perf_counter() >= self._due

    def steps(self) -> Iterator[Step]:
        """Observe all that waits; a generation whose logits are no numbers has an `error` from then on, and no step."""
        waiting, self._waiting = self._waiting, []
        seen = self._statistics.observe(
            [(logits, draw, generation.request.temperature.beta) for generation, _, draw, logits in waiting]
        )
        for (generation, position, draw, _), observed in zip(waiting, seen, strict=True):
            if generation.error is None:
                try:
                    yield generation.record(position, draw, observed)
                except DecodeError as error:
                    generation.error = str(error)
