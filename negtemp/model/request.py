"""What is asked of the engine: one sequence, and what may be wrong with asking for it."""

from dataclasses import dataclass, field

from negtemp.errors import ModelError, NegtempError, PromptError, UsageError
from negtemp.model.filters import Filters
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
        """Raises UsageError for n_predict below 1."""
        if self.n_predict < 1:
            raise UsageError(f"--n-predict is {self.n_predict}; give a whole number of at least 1")

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
            return PromptError("the prompt has no token and this model adds none; give a prompt with --prompt")
        if count >= self.ctx_size:
            return PromptError(
                f"the prompt has {count} tokens and the context {self.ctx_size}; shorten it or raise --ctx-size"
            )
        if len(self.filters.mask) >= vocab:
            return ModelError(f"the mask leaves none of {vocab} tokens to draw; mask fewer categories")
        return None
