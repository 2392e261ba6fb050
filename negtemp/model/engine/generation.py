"""One request under way: what draws for it, what it has emitted, the statistics of its tokens, and its records.

Statistics come from the raw logits, before any filter (`theory.observation`): the compiled loops find them as they
draw. It leaves out the decode that makes the logits, which many generations share (`scheduler`).
"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

from negtemp.model import kernel
from negtemp.model.engine.request import Request
from negtemp.model.engine.sampler import Candidates, Chain, Draw, draw_all
from negtemp.model.kernel import Drawn
from negtemp.model.llama.context import Logits
from negtemp.model.llama.model import Model
from negtemp.printable import printable
from negtemp.records import Completion, Step, Stop
from negtemp.theory.coherence import longest_repeat
from negtemp.theory.observation import Observed, Observer, gap_among


class Sampling:
    """Draws for all generations of one model, and observes what was drawn. Not for two threads at once."""

    def __init__(self, model: Model, threads: int) -> None:
        self.candidates = Candidates(model.library.api, model.vocabulary.size)
        self._threads = threads
        self._kernel = kernel.find(model.library)
        self._observer = Observer(model.vocabulary.size)

    def draw(self, generations: Sequence["Generation"], rows: Sequence[Logits]) -> list[tuple[Draw, Observed] | None]:
        """The next token of each from its `[vocab]` logits, and what these say; None where they are no distribution."""
        draws = draw_all([generation.chain for generation in generations], rows, self._threads, observes=True)
        return [
            draw and self._observed(draw, row, generation.request.temperature.beta)
            for draw, row, generation in zip(draws, rows, generations, strict=True)
        ]

    def _observed(self, draw: Draw, row: Logits, beta: float) -> tuple[Draw, Observed] | None:
        seen = draw.observed or self._observe(draw, row, beta)
        return None if math.isnan(seen.entropy) else (draw, seen)

    def _observe(self, draw: Draw, row: Logits, beta: float) -> Observed:
        left_out = draw.left_out
        if self._kernel is None:
            return self._observer.observe(row, draw.token_id, beta, draw.masked if left_out is None else left_out)
        # the loops take few masked ids, not a mask of the whole vocabulary
        at = beta if left_out is None else 0.0
        (seen,) = self._kernel.observe([Drawn(row, draw.token_id, at, draw.masked)], self._threads)
        return seen if left_out is None else seen._replace(gap=gap_among(row[~left_out], beta))


class Generation:
    """One request in the slot (the cache's sequence) `slot`. Close it: it holds a chain of C samplers."""

    def __init__(self, model: Model, request: Request, slot: int, candidates: Candidates) -> None:
        self.request, self.slot = request, slot
        self.stop: Stop | None = None
        self._vocabulary, self._centroid = model.vocabulary, model.centroid_percentiles
        self.chain = Chain(
            model.library, model.vocabulary.size, request.temperature, request.filters, request.seed, candidates
        )  # fmt: skip
        self._token_ids: list[int] = []
        self._logprob = self._rank = self._entropy = self._first = self._latest = 0.0

    @property
    def next_token(self) -> tuple[int, int, int]:
        """What to decode next: its last token, that token's position, its slot."""
        return self._token_ids[-1], len(self.request.prompt_token_ids) + len(self._token_ids) - 1, self.slot

    def take(self, draw: Draw, seen: Observed) -> Step:
        """Go on by a token; its record."""
        position, token_id = len(self._token_ids), draw.token_id
        self._token_ids.append(token_id)
        self._latest = time.perf_counter()
        self._first = self._first or self._latest
        self.stop = self._stop(token_id)
        self._logprob += seen.logprob
        self._rank += seen.rank
        self._entropy += seen.entropy
        return Step(
            sequence=self.request.sequence, position=position, token_id=token_id,
            raw=self._vocabulary.piece(token_id), logprob=seen.logprob, rank=seen.rank, entropy=seen.entropy,
            gap=seen.gap, sampled_logprob=draw.logprob,
            centroid_percentile=self._centroid[token_id] if self._centroid else None,
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
        self.chain.close()
