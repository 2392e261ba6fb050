"""The engine's loop: requests in, records out, any number of sequences over one KV cache (continuous batching).

An `Engine` hands its requests to a `Scheduler`, which keeps a fixed number of slots filled with `Generation`s. A step
decodes one token of each live generation in one batch; `Drawer` draws the next ones and observes them, from the raw
logits, before any filter (`theory.observation`). Where the compiled loops draw for all of them, decode and draws are
one call (`kernel.Steps`). A generation that ends frees its cells and the next request enters, its prompt decoded
between two steps. Requests are taken one at a time, so memory does not grow with their number, and only when the cells
that they can grow to are free, so the cache never overflows: until then a request waits, and all behind it. One that
can never fit is answered by a Failure, and the others go on.

The two signs of a comparison share a batch, and so meet the same arithmetic. The order of requests decides which share
one, and so the last bits of their logits, and nothing else; with `BatchShape.alone` not even that: one sequence at a
time in a cache that is empty before it. It leaves out which requests to make (`experiments`), how a token is drawn
(`sampler`), the cache of prompts (`prefix_cache`) and the decode itself (`model.llama.context`).
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from negtemp.errors import DecodeError
from negtemp.model import kernel
from negtemp.model.engine.decode_timing import DecodeTiming
from negtemp.model.engine.draw_threads import DrawThreads
from negtemp.model.engine.prefix_cache import PrefixCache
from negtemp.model.engine.request import Request, check
from negtemp.model.engine.sampler import Candidates, Chain, draw_all, no_distribution
from negtemp.model.kernel import Draw, ToObserve
from negtemp.model.llama.context import Context, Logits
from negtemp.model.llama.model import Model
from negtemp.model.threads import default_threads
from negtemp.printable import printable
from negtemp.records import Completion, Failure, Step, Stop
from negtemp.theory.coherence import longest_repeat
from negtemp.theory.observation import NOTHING, Observed, Observer, gap_among

__all__ = ["BatchShape", "Engine", "Request"]

_MOST_HELD_PROMPTS = 16


@dataclass(frozen=True, slots=True)
class BatchShape:
    """How many generations are decoded together, and the cells of the cache that they share with their prompts.

    alone: start every generation in an empty cache; meant for one slot.
    """

    slots: int
    cells: int
    alone: bool = False

    def sequences(self, limit: int) -> int:
        """Sequences of the cache: the slots, and some for the prompts, within the library's limit."""
        return min(self.slots + min(self.slots, _MOST_HELD_PROMPTS) + 1, max(limit - 1, self.slots + 1))


class Engine:
    """Generates with one loaded model. `threads` of None means every physical core."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self.timing = DecodeTiming(model, threads)
        self._draw_threads = DrawThreads(threads or default_threads(), tries=model.on_devices)

    def generate(self, requests: Sequence[Request]) -> Iterator[Step | Completion]:
        """Steps in the order of decoding, and each request's Completion right after its last step.

        Raises PromptError, ModelError (every token masked) or DecodeError.
        """
        if not requests:
            return
        check(requests, self.model.vocabulary.size)
        prompts = {request.prompt_token_ids for request in requests}
        cells = sum(map(len, prompts)) + sum(request.growth for request in requests)
        shape = self.batch_shape(len(requests), cells, max(request.longest for request in requests))
        for record in self.stream(requests, shape):
            if isinstance(record, Failure):
                raise DecodeError(record.reason)
            yield record

    def batch_shape(self, slots: int, cells: int, longest: int, alone: bool = False) -> BatchShape:
        """A BatchShape of so many cells, and padding, for sequences of at most `longest` tokens.

        Where a cache of that size would turn short sequences by LongRoPE's long angles it is smaller, and some wait.
        """
        padding, short = self.timing.widest(slots), self.model.short_context
        cells += padding
        if short is not None and longest + padding <= short:
            cells = min(cells, short)
        return BatchShape(slots, cells, alone)

    def stream(self, requests: Iterable[Request], shape: BatchShape) -> Iterator[Step | Completion | Failure]:
        """The same for any number of requests, taken one at a time as slots fall free; results in order of completion.

        What cannot be answered is a Failure, and the rest go on. Raises DecodeError where llama.cpp fails.
        """
        sequences = shape.sequences(self.model.library.api.llama_max_parallel_sequences())
        widest = self.timing.widest(shape.slots)
        with Context(self.model, sequences, shape.cells, self.threads, widest=widest) as context:
            yield from Scheduler(self.model, context, shape, sequences, self.timing, self._draw_threads).run(requests)


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

    @property
    def outlasts_a_token(self) -> bool:
        """Whether there is room and need for a token after the next one."""
        return len(self._token_ids) + 1 < self.request.growth

    def take(self, draw: Draw) -> Step:
        """Go on by a token; its record."""
        position, token_id, seen = len(self._token_ids), draw.token_id, draw.observed
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


class Drawer:
    """Draws for all generations of one model, and observes what was drawn. Not for two threads at once."""

    def __init__(self, model: Model, threads: int) -> None:
        self.candidates = Candidates(model.library.api, model.vocabulary.size)
        self._threads = threads
        self._kernel = kernel.find(model.library)
        self._observer = Observer(model.vocabulary.size)
        self._ends = np.zeros(model.vocabulary.size, np.uint8)
        self._ends[list(model.vocabulary.end_tokens)] = 1

    def steps(self, generations: Sequence[Generation], context: Context) -> kernel.Steps | None:
        """Steps of these in one call each; None where they are not all drawn by the compiled loops."""
        samplers = []
        for generation in generations:
            if generation.chain.compiled is None:
                return None
            samplers.append(generation.chain.compiled.at(*generation.next_token[1:]))
        decoder = kernel.Decoder(*context.addresses(), self._ends.ctypes.data, context.padding_sequence)
        return kernel.Steps(samplers, decoder, len(self.candidates.id))

    def draw(self, generations: Sequence[Generation], rows: Sequence[Logits]) -> list[Draw | None]:
        """The next token of each from its `[vocab]` logits, and what these say; None where they are no distribution."""
        draws = draw_all([generation.chain for generation in generations], rows, self._threads, observes=True)
        return [
            draw and self._observed(draw, row, generation.request.temperature.beta)
            for draw, row, generation in zip(draws, rows, generations, strict=True)
        ]

    def _observed(self, draw: Draw, row: Logits, beta: float) -> Draw | None:
        if draw.observed is NOTHING:
            draw = draw._replace(observed=self._observe(draw, row, beta))
        return None if math.isnan(draw.observed.entropy) else draw

    def _observe(self, draw: Draw, row: Logits, beta: float) -> Observed:
        left_out = draw.left_out
        if self._kernel is None:
            return self._observer.observe(row, draw.token_id, beta, draw.masked if left_out is None else left_out)
        # the loops take few masked ids, not a mask of the whole vocabulary
        at = beta if left_out is None else 0.0
        (seen,) = self._kernel.observe([ToObserve(row, draw.token_id, at, draw.masked)], self._threads)
        return seen if left_out is None else seen._replace(gap=gap_among(row[~left_out], beta))


class Scheduler:
    """Runs requests through the slots of one context."""

    def __init__(
        self, model: Model, context: Context, shape: BatchShape, sequences: int, timing: DecodeTiming,
        draw_threads: DrawThreads,
    ) -> None:  # fmt: skip
        self._model, self._context, self._shape, self._draw_threads = model, context, shape, draw_threads
        self._free = list(range(shape.slots))[::-1]
        self._live: list[Generation] = []
        self._changed = True  # the live ones, since their steps were made
        self._steps: kernel.Steps | None = None
        self._drawer = Drawer(model, context.threads)
        self._waiting: Request | None = None
        self._all_taken = False
        self._on_devices = model.on_devices
        self._padding_cells = timing.widest(shape.slots)
        self._rows = [timing.rows(live) for live in range(1, shape.slots + 1)]
        held = range(shape.slots, sequences)
        self._prefixes = PrefixCache(context, held, shares_beginnings=model.can_cut_memory, keeps=not shape.alone)

    def run(self, requests: Iterable[Request]) -> Iterator[Step | Completion | Failure]:
        """Steps in the order of decoding, each Completion right after its last step, a Failure for what cannot fit."""
        queue = iter(requests)
        try:
            while True:
                entering = []
                for outcome in () if self._begun else self._admit(queue):
                    if isinstance(outcome, Failure):
                        yield outcome
                    else:
                        entering.append(outcome)
                if not entering and not self._live:
                    return
                yield from self._advance(self._drawn(*zip(*entering, strict=True)) if entering else self._step())
        finally:
            if self._begun:
                self._context.synchronize()
            for generation in self._live:
                generation.close()

    def _admit(self, queue: Iterator[Request]) -> Iterator[tuple[Generation, Logits] | Failure]:
        """Generations that can start now, with the logits after their prompts, and requests that never can."""
        while self._free:
            request = self._waiting or next(queue, None)
            self._waiting = request
            if request is None:
                self._all_taken = True
                return
            failure = self._failure(request)
            if failure is None and not self._has_room(request):
                return
            self._waiting = None
            yield failure or self._start(request)

    def _failure(self, request: Request) -> Failure | None:
        """Why the request can never run, or None."""
        problem: object = request.problem(self._model.vocabulary.size)
        if problem is None and request.longest + self._padding_cells > self._shape.cells:
            problem = (
                f"the sequence can grow to {request.longest} tokens and the cache holds {self._shape.cells} cells; "
                "lower `n_predict` or shorten the prompt"
            )
        if problem is None:
            return None
        return request.failed(str(problem))

    def _has_room(self, request: Request) -> bool:
        growth = request.growth + sum(generation.request.growth for generation in self._live)
        return self._prefixes.fits(request.prompt_token_ids, self._shape.cells - self._padding_cells - growth)

    def _start(self, request: Request) -> tuple[Generation, Logits]:
        if self._shape.alone:
            self._context.clear()
        generation = Generation(self._model, request, self._free.pop(), self._drawer.candidates)
        self._live.append(generation)
        self._changed = True
        return generation, self._prefixes.use(request.prompt_token_ids, generation.slot)

    def _step(self) -> list[tuple[Generation, Draw | None]]:
        """A decode of the last token of every live generation, and what is drawn of it."""
        width = self._rows[len(self._live) - 1]
        if self._changed:
            self._steps, self._changed = self._drawer.steps(self._live, self._context), False
        if self._steps is None:
            rows = self._context.step([generation.next_token for generation in self._live], width)
            return self._drawn(self._live, rows)
        threads = self._draw_threads.of(len(self._live))
        self._context.check(self._steps.decode(width, threads, self._may_go_ahead(width)))
        self._draw_threads.took(len(self._live), threads, self._steps.draw_seconds)
        if width > len(self._live):
            self._context.drop(self._context.padding_sequence)
        return list(zip(self._live, self._steps.drawn(), strict=True))

    @property
    def _begun(self) -> bool:
        return self._steps is not None and self._steps.begun

    def _may_go_ahead(self, width: int) -> bool:
        """Whether the next step can begin before this one's records are made: on a device, which meanwhile works, where
        no sequence enters or ends.
        """
        if not self._on_devices or width > len(self._live) or not (self._all_taken or not self._free):
            return False
        return all(generation.outlasts_a_token for generation in self._live)

    def _drawn(self, generations: Sequence[Generation], rows: Sequence[Logits]) -> list[tuple[Generation, Draw | None]]:
        return list(zip(generations, self._drawer.draw(generations, rows), strict=True))

    def _advance(self, draws: list[tuple[Generation, Draw | None]]) -> Iterator[Step | Completion | Failure]:
        for generation, draw in draws:
            if draw is None:
                yield generation.request.failed(str(no_distribution()))
                self._retire(generation)
                continue
            yield generation.take(draw)
            if generation.stop is not None:
                yield generation.completion(generation.stop)
                self._retire(generation)

    def _retire(self, generation: Generation) -> None:
        generation.close()
        self._live.remove(generation)
        self._changed = True
        self._free.append(generation.slot)
        self._context.drop(generation.slot)
        self._prefixes.release(generation.request.prompt_token_ids)
