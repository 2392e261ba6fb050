"""Continuous batching: any number of requests through a fixed number of slots over one KV cache.

Every step decodes one token of each live generation in one batch. A generation that ends frees its cells and the next
request enters, prompt decoded between two steps; requests are taken one at a time, so memory does not grow with their
number. A request enters only when the cells that it can grow to are free, so the cache never overflows: until then it
waits, and all behind it. One that can never fit is answered by a Failure, and the others go on.

The order of requests decides which share a batch, and so the last bits of their logits, and nothing else. With
`BatchShape.alone` not even that: one sequence at a time in a cache that is empty before it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from negtemp.model.engine.decode_timing import DecodeTiming
from negtemp.model.engine.generation import Generation, Sampling
from negtemp.model.engine.prefix_cache import PrefixCache
from negtemp.model.engine.request import Request
from negtemp.model.engine.sampler import no_distribution
from negtemp.model.llama.context import Context, Logits
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Failure, Step

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


class Scheduler:
    """Runs requests through the slots of one context."""

    def __init__(self, model: Model, context: Context, shape: BatchShape, sequences: int, timing: DecodeTiming) -> None:
        self._model, self._context, self._shape = model, context, shape
        self._free = list(range(shape.slots))[::-1]
        self._live: list[Generation] = []
        self._sampling = Sampling(model, context.threads)
        self._waiting: Request | None = None
        self._padding = timing.widest(shape.slots)
        self._rows = [timing.rows(live) for live in range(1, shape.slots + 1)]
        held = range(shape.slots, sequences)
        self._prefixes = PrefixCache(context, held, shares_beginnings=model.can_cut_memory, keeps=not shape.alone)

    def run(self, requests: Iterable[Request]) -> Iterator[Step | Completion | Failure]:
        """Steps in the order of decoding, each Completion right after its last step, a Failure for what cannot fit."""
        queue = iter(requests)
        try:
            while True:
                entering = []
                for outcome in self._admit(queue):
                    if isinstance(outcome, Failure):
                        yield outcome
                    else:
                        entering.append(outcome)
                if not entering and not self._live:
                    return
                yield from self._advance(entering or self._decode())
        finally:
            for generation in self._live:
                generation.close()

    def _admit(self, queue: Iterator[Request]) -> Iterator[tuple[Generation, Logits] | Failure]:
        """Generations that can start now, with the logits after their prompts, and requests that never can."""
        while self._free:
            request = self._waiting or next(queue, None)
            self._waiting = request
            if request is None:
                return
            failure = self._failure(request)
            if failure is None and not self._has_room(request):
                return
            self._waiting = None
            yield failure or self._start(request)

    def _failure(self, request: Request) -> Failure | None:
        """Why the request can never run, or None."""
        problem: object = request.problem(self._model.vocabulary.size)
        if problem is None and request.longest + self._padding > self._shape.cells:
            problem = (
                f"the sequence can grow to {request.longest} tokens and the cache holds {self._shape.cells} cells; "
                "lower `n_predict` or shorten the prompt"
            )
        if problem is None:
            return None
        return _failed(request, str(problem))

    def _has_room(self, request: Request) -> bool:
        growth = request.growth + sum(generation.request.growth for generation in self._live)
        return self._prefixes.fits(request.prompt_token_ids, self._shape.cells - self._padding - growth)

    def _start(self, request: Request) -> tuple[Generation, Logits]:
        if self._shape.alone:
            self._context.clear()
        generation = Generation(self._model, request, self._free.pop(), self._sampling.candidates)
        self._live.append(generation)
        return generation, self._prefixes.use(request.prompt_token_ids, generation.slot)

    def _decode(self) -> list[tuple[Generation, Logits]]:
        """One step of every live generation."""
        rows = self._context.step([g.next_token for g in self._live], self._rows[len(self._live) - 1])
        return list(zip(self._live, rows, strict=True))

    def _advance(self, drawing: list[tuple[Generation, Logits]]) -> Iterator[Step | Completion | Failure]:
        generations, rows = zip(*drawing, strict=True)
        for generation, drawn in zip(generations, self._sampling.draw(generations, rows), strict=True):
            if drawn is None:
                yield _failed(generation.request, str(no_distribution()))
                self._retire(generation)
                continue
            yield generation.take(*drawn)
            if generation.stop is not None:
                yield generation.completion(generation.stop)
                self._retire(generation)

    def _retire(self, generation: Generation) -> None:
        generation.close()
        self._live.remove(generation)
        self._free.append(generation.slot)
        self._context.drop(generation.slot)
        self._prefixes.release(generation.request.prompt_token_ids)


def _failed(request: Request, reason: str) -> Failure:
    return Failure(
        sequence=request.sequence, prompt=request.prompt, temperature=request.temperature, seed=request.seed,
        reason=reason,
    )  # fmt: skip
