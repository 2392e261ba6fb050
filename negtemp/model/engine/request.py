"""What is asked of the engine: one sequence, the filters applied before its temperature, and a check of both.

Plain values; `sampler` builds the chain in C.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from negtemp.errors import ModelError, NegtempError, PromptError, UsageError
from negtemp.theory.temperature import Temperature

if TYPE_CHECKING:
    from negtemp.records import Failure

_LOWEST_SEED, _HIGHEST_SEED = 0, 2**32 - 2  # upstream reads 2**32 - 1 as "random"


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be drawn at all, before temperature. The defaults switch every filter off.

    mask: token ids of probability 0 at every temperature.
    """

    mask: tuple[int, ...] = ()
    repeat_penalty: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError for a value outside its range."""
        for name, value, lowest, highest in (
            ("repeat_penalty", self.repeat_penalty, 0.0, math.inf),
            ("top_k", self.top_k, 0, math.inf),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
        ):
            if not lowest <= value <= highest or (value == 0 and name == "repeat_penalty") or math.isinf(value):
                wanted = f"from {lowest:g} to {highest:g}" if math.isfinite(highest) else f"of at least {lowest:g}"
                wanted = "above 0, and finite" if name == "repeat_penalty" else wanted
                raise UsageError(f"`{name}` is {value}; give a number {wanted}")

    @property
    def only_mask(self) -> bool:
        """Whether nothing but a mask is set, at most."""
        return replace(self, mask=()) == Filters()


def check_seed(seed: int) -> int:
    """The seed, or UsageError where it does not fit 32 bits."""
    if not _LOWEST_SEED <= seed <= _HIGHEST_SEED:
        raise UsageError(f"seed {seed} is out of range; give a whole number from {_LOWEST_SEED} to {_HIGHEST_SEED}")
    return seed


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
        """Raises UsageError for n_predict below 1."""
        if self.n_predict < 1:
            raise UsageError(f"`n_predict` is {self.n_predict}; give a whole number of at least 1")

    @property
    def longest(self) -> int:
        """Tokens that the sequence can grow to, its prompt included."""
        return min(self.ctx_size, len(self.prompt_token_ids) + self.n_predict)

    @property
    def growth(self) -> int:
        """Cells that it can take beyond its prompt's; the last token is drawn but never decoded."""
        return self.longest - len(self.prompt_token_ids)

    def problem(self, vocab: int) -> NegtempError | None:
        """Why no engine can answer this: PromptError (no token, or as many as the context), ModelError (all masked)."""
        count = len(self.prompt_token_ids)
        if not count:
            return PromptError("the prompt has no token and this model adds none; give another `prompt`")
        if count >= self.ctx_size:
            return PromptError(
                f"the prompt has {count} tokens and the context {self.ctx_size}; shorten it or raise `ctx_size`"
            )
        if len(self.filters.mask) >= vocab:
            return ModelError(f"the mask leaves none of {vocab} tokens to draw; mask fewer categories")
        return None

    def failed(self, reason: str) -> "Failure":
        """The record of this request where it cannot be answered."""
        from negtemp.records import Failure  # the command line reads the filters above before it needs any record

        return Failure(
            sequence=self.sequence, prompt=self.prompt, temperature=self.temperature, seed=self.seed, reason=reason
        )  # fmt: skip


def check(requests: Iterable[Request], vocab: int) -> None:
    """Raise the first problem of any request: PromptError or ModelError."""
    for request in requests:
        problem = request.problem(vocab)
        if problem:
            raise problem
