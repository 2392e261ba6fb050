"""What the page asks of the engine: the logits after some token ids, and the tokens drawn after them.

Two rules make what is seen what the command line gives:

- the logits shown are those of `negtemp spectrum` for these ids: the ids decoded together, as one prompt;
- the tokens drawn are those of `negtemp run` after a root, with this beta and seed. A run stays open between draws, so
  that the next draw is one step; any other place in it is reached by drawing it again from its root. Several betas are
  `negtemp compare`: one batch.

Where a prompt takes long to decode, what it has in common with the one before is kept for the view; that may move the
last bits of the logits, and never a draw. It leaves out threads (`worker`): everything here belongs to one.
"""

import itertools
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import DecodeError, PromptError
from negtemp.model.engine.engine import Engine, Request
from negtemp.model.llama.context import Context
from negtemp.printable import printable
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature

Ids = tuple[int, ...]

_FIRST_CELLS = 512
_SOON_SECONDS = 0.25
_ROOM = 256  # tokens that an open run can grow by before it is begun anew


class Viewer:
    """Logits after token ids, in a context that grows with the longest of them."""

    def __init__(self, engine: Engine) -> None:
        self._model, self._threads = engine.model, engine.threads
        self._context: Context | None = None
        self._cells = 0
        self._held: Ids = ()
        self._token_seconds = 0.0

    def logits(self, ids: Ids) -> NDArray[np.float32]:
        """Raw logits `[vocab]`, a copy. Raises DecodeError, also where the model computes no numbers."""
        context, kept = self._room_for(len(ids)), self._kept(ids)
        self._held = ()
        if not kept or not context.drop(0, kept):
            context.clear()
            kept = 0
        started = time.perf_counter()
        logits = context.prompt(ids, 0, kept).copy()
        self._token_seconds = (time.perf_counter() - started) / (len(ids) - kept)
        self._held = ids
        if np.isnan(logits).any() or not np.isfinite(logits).any():
            raise DecodeError("the model computes logits that are not numbers; its file is corrupt or not supported")
        return logits

    def _kept(self, ids: Ids) -> int:
        """How many tokens need not be decoded again; none where decoding all is a matter of a moment."""
        if len(ids) * self._token_seconds < _SOON_SECONDS or not self._model.can_cut_memory:
            return 0
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ids[:-1], self._held, strict=False))
        return sum(1 for _ in same)

    def _room_for(self, tokens: int) -> Context:
        if self._context is None or tokens > self._cells:
            self.close()
            cells = max(_FIRST_CELLS, 1 << tokens.bit_length())
            short = self._model.short_context
            self._cells = short if short is not None and tokens <= short < cells else cells
            self._context = Context(self._model, 1, self._cells, self._threads)
        return self._context

    def close(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context = None
        self._held = ()


class _Run:
    """An open `negtemp run`: the tokens drawn so far, and the steps to come."""

    def __init__(self, engine: Engine, root: Ids, at: Temperature, seed: int, room: int, ctx_size: int) -> None:
        self.root, self.at, self.seed = root, at, seed
        self.left = room
        self.tokens: list[int] = []
        self._records = engine.generate([_request(engine, 0, root, at, seed, room, ctx_size)])

    def step(self) -> Step | None:
        """The next token; None after the last one that the context or an end-of-generation token allows."""
        record = next(self._records, None)
        if not isinstance(record, Step):
            return None
        self.left -= 1
        self.tokens.append(record.token_id)
        return record

    def is_at(self, root: Ids, drawn: Ids, at: Temperature, seed: int) -> bool:
        """Whether this run has drawn exactly that."""
        return (self.root, tuple(self.tokens), self.at, self.seed) == (root, drawn, at, seed)

    def close(self) -> None:
        self._records.close()  # type: ignore[attr-defined]


class Decoder:
    """Views and draws of one model. Close it in the thread that used it."""

    def __init__(self, engine: Engine, ctx_size: int) -> None:
        self._engine, self.ctx_size = engine, ctx_size
        self._viewer = Viewer(engine)
        self._run: _Run | None = None

    def logits(self, ids: Ids) -> NDArray[np.float32]:
        """Raw logits `[vocab]` after `ids`. Raises PromptError beyond the context, DecodeError."""
        self._check(ids)
        return self._viewer.logits(ids)

    def open_run(self, root: Ids, drawn: Ids, at: Temperature, seed: int, count: int) -> int:
        """Open the run that has `drawn` after `root`, with room for `count` tokens more; the length of its root.

        Where no such run draws `drawn`, or it ended there, its tokens belong to the root. Raises PromptError,
        DecodeError.
        """
        self._check(root + drawn)
        run = self._run
        if run is not None and run.is_at(root, drawn, at, seed) and run.left >= count:
            return len(root)
        run = self._begin(root, at, seed, len(drawn) + max(count, _ROOM))
        if all((step := run.step()) is not None and step.token_id == token_id for token_id in drawn):
            return len(root)
        self._begin(root + drawn, at, seed, max(count, _ROOM))
        return len(root) + len(drawn)

    def draw(self, count: int) -> Iterator[Step]:
        """Up to `count` tokens more of the open run; fewer where a token ends it, or the context does."""
        for _ in range(count):
            step = None if self._run is None else self._run.step()
            if step is None:
                return
            yield step

    def side_by_side(self, ids: Ids, at: Sequence[Temperature], seed: int, count: int) -> Iterator[Step | Completion]:
        """The same ids at several temperatures, in one batch; sequences are numbered in their order."""
        self._check(ids)
        requests = [
            _request(self._engine, number, ids, one, seed, count, self.ctx_size) for number, one in enumerate(at)
        ]
        yield from self._engine.generate(requests)

    def _begin(self, root: Ids, at: Temperature, seed: int, room: int) -> _Run:
        if self._run is not None:
            self._run.close()
        self._run = _Run(self._engine, root, at, seed, room, self.ctx_size)
        return self._run

    def _check(self, ids: Ids) -> None:
        """Raise PromptError or ModelError for what cannot be decoded."""
        if len(ids) > self.ctx_size:
            raise PromptError(
                f"{len(ids)} tokens, and the context holds {self.ctx_size}; shorten the prompt, or `ctx_size`"
            )
        if not ids:
            raise PromptError("the prompt has no token and this model adds none; type something")

    def close(self) -> None:
        if self._run is not None:
            self._run.close()
        self._viewer.close()


def _request(engine: Engine, sequence: int, ids: Ids, at: Temperature, seed: int, count: int, ctx_size: int) -> Request:
    shown = printable(engine.model.vocabulary.detokenize(ids), keep=" \n")
    return Request(sequence, shown, ids, at, seed, count, ctx_size)
