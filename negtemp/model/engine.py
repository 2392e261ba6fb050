"""Batched generation: requests in, steps and completions out.

All requests of one call are decoded together, one token of each per batch, so the two signs of a comparison meet the
same arithmetic; a prompt that several share is decoded once. Every sequence has its own chain, temperature and seed.
Statistics come from the raw logits, before any filter (`theory.boltzmann`).

It leaves out queues (more requests than the cache holds) and the choice of requests, which is `experiments`' work.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from negtemp.errors import ModelError, PromptError, UsageError
from negtemp.model.context import Context, Logits
from negtemp.model.filters import Filters
from negtemp.model.loaded import Model
from negtemp.model.sampler import Chain, Draw
from negtemp.printable import printable
from negtemp.records import Completion, Step, Stop
from negtemp.theory.boltzmann import gap, observe
from negtemp.theory.temperature import Temperature


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence to generate: at most `n_predict` tokens after a prompt, within `ctx_size` tokens in all."""

    sequence: int
    prompt: str
    prompt_token_ids: tuple[int, ...]
    temperature: Temperature
    seed: int = 1
    n_predict: int = 40
    ctx_size: int = 512
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        """Raises UsageError for n_predict below 1, PromptError for a prompt that fills the context."""
        if self.n_predict < 1:
            raise UsageError(f"--n-predict is {self.n_predict}; give a whole number of at least 1")
        if len(self.prompt_token_ids) >= self.ctx_size:
            raise PromptError(
                f"the prompt has {len(self.prompt_token_ids)} tokens and the context {self.ctx_size}; "
                "shorten it or raise --ctx-size"
            )

    @property
    def longest(self) -> int:
        """Tokens that the sequence can grow to, its prompt included."""
        return min(self.ctx_size, len(self.prompt_token_ids) + self.n_predict)


class Engine:
    """Generates with one loaded model. `threads` of None means every physical core."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads

    def generate(self, requests: Sequence[Request]) -> Iterator[Step | Completion]:
        """Steps in the order of decoding, and each request's Completion right after its last step.

        Raises PromptError, ModelError (every token masked) or DecodeError.
        """
        if not requests:
            return
        vocabulary = self.model.vocabulary
        if any(len(request.filters.mask) >= vocabulary.size for request in requests):
            raise ModelError(f"the mask leaves none of {vocabulary.size} tokens to draw; mask fewer categories")
        cells = sum(request.longest for request in requests)
        with ExitStack() as stack:
            context = stack.enter_context(Context(self.model, len(requests), cells, self.threads))
            chains = [stack.enter_context(self._chain(request)) for request in requests]
            runs = [
                _Run(self.model, r, chain, slot) for slot, (r, chain) in enumerate(zip(requests, chains, strict=True))
            ]
            yield from _decode_all(context, runs)

    def _chain(self, request: Request) -> Chain:
        vocab = self.model.vocabulary.size
        return Chain(self.model.library, vocab, request.temperature, request.filters, request.seed)


def _decode_all(context: Context, runs: list["_Run"]) -> Iterator[Step | Completion]:
    live, rows = runs, _prompts(context, runs)
    while True:
        for run, row in zip(live, rows, strict=True):
            yield run.advance(row)
            if run.stop is not None:
                yield run.completion(run.stop)
                context.drop(run.slot)
        live = [run for run in live if run.stop is None]
        if not live:
            return
        rows = context.step([(run.last_token, run.position, run.slot) for run in live])


def _prompts(context: Context, runs: list["_Run"]) -> Iterator[Logits]:
    """The logits after each run's prompt; each distinct prompt is decoded once, and its cells shared."""
    first: dict[tuple[int, ...], tuple[int, Logits]] = {}
    for run in runs:
        prompt = run.request.prompt_token_ids
        if prompt in first:
            context.share(first[prompt][0], run.slot)
        else:
            # the next prompt overwrites the library's buffer
            first[prompt] = run.slot, context.prompt(prompt, run.slot).copy()
    for run in runs:
        yield first[run.request.prompt_token_ids][1]


class _Run:
    """One request under way: what it has emitted and where it stands."""

    def __init__(self, model: Model, request: Request, chain: Chain, slot: int) -> None:
        self.request, self.slot, self.stop = request, slot, None
        self._vocabulary, self._chain = model.vocabulary, chain
        self._token_ids: list[int] = []
        self._logprob = self._rank = self._first = self._latest = 0.0

    stop: Stop | None

    @property
    def last_token(self) -> int:
        return self._token_ids[-1]

    @property
    def position(self) -> int:
        """Where the last token goes in the context."""
        return len(self.request.prompt_token_ids) + len(self._token_ids) - 1

    def advance(self, logits: Logits) -> Step:
        """Draw the next token from `[vocab]` logits and record it."""
        draw = self._chain.draw(logits)
        step = self._observe(logits, draw)
        self._token_ids.append(draw.token_id)
        self._logprob += step.logprob
        self._rank += step.rank
        self._latest = time.perf_counter()
        self._first = self._first or self._latest
        self.stop = self._stop(draw.token_id)
        return step

    def _observe(self, logits: Logits, draw: Draw) -> Step:
        logprob, rank, entropy = observe(logits, draw.token_id)
        reachable = logits if draw.candidates is None else logits[draw.candidates]
        return Step(
            self.request.sequence, len(self._token_ids), draw.token_id, self._vocabulary.piece(draw.token_id),
            logprob, rank, entropy, gap(reachable, self.request.temperature.beta), draw.logprob,
        )  # fmt: skip

    def _stop(self, token_id: int) -> Stop | None:
        if self._vocabulary.is_end(token_id):
            return "eog"
        if len(self._token_ids) >= self.request.n_predict:
            return "length"
        return "context" if self.position + 1 >= self.request.ctx_size else None

    def completion(self, stop: Stop) -> Completion:
        """The record of the finished sequence."""
        ids, request = self._token_ids, self.request
        text = self._vocabulary.detokenize(ids[:-1] if stop == "eog" else ids)
        seconds = self._latest - self._first
        return Completion(
            request.sequence, request.prompt, request.prompt_token_ids, request.temperature, request.seed, tuple(ids),
            printable(text, keep=" \n"), stop, (len(ids) - 1) / seconds if seconds > 0 else None,
            self._logprob / len(ids), self._rank / len(ids), len(set(ids)) / len(ids),
        )  # fmt: skip
