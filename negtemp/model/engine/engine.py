"""Batched generation: requests in, steps and completions out.

`generate` decodes all its requests together, so the two signs of a comparison meet the same arithmetic; `stream` takes
any number through a few slots. Every sequence has its own chain, temperature and seed. It leaves out how a batch is
made up (`scheduler`) and which requests to make, which is `experiments`' work.
"""

from collections.abc import Iterable, Iterator, Sequence

from negtemp.errors import DecodeError
from negtemp.model.engine.decode_timing import DecodeTiming
from negtemp.model.engine.request import Request
from negtemp.model.engine.scheduler import BatchShape, Scheduler
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Failure, Step

__all__ = ["BatchShape", "Engine", "Request", "check"]


class Engine:
    """Generates with one loaded model. `threads` of None means every physical core."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self.timing = DecodeTiming(model, threads)

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
            yield from Scheduler(self.model, context, shape, sequences, self.timing).run(requests)


def check(requests: Iterable[Request], vocab: int) -> None:
    """Raise the first problem of any request: PromptError or ModelError."""
    for request in requests:
        problem = request.problem(vocab)
        if problem:
            raise problem
