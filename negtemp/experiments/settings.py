"""How to generate, whatever the prompt and the temperature: what every generating experiment shares.

It needs neither numpy nor the library, so that a command's options can be read without them.
"""

from dataclasses import asdict, dataclass
from typing import Any

from negtemp.errors import UsageError
from negtemp.model.engine.request import Filters
from negtemp.model.tokens.vocabulary import CATEGORIES, Vocabulary

PROMPT = "Temperature is a concept"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to generate, whatever the prompt and the temperature. The defaults switch every filter off.

    ctx_size  tokens a sequence may hold, its prompt included; None means what the model was trained on
    mask      categories of tokens that may not be drawn
    """

    n_predict: int = 40
    ctx_size: int | None = None
    mask: tuple[str, ...] = ()
    ignore_eos: bool = False
    repeat_penalty: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError for a category that does not exist or a value out of range."""
        Filters((), self.repeat_penalty, self.top_k, self.top_p, self.min_p)
        unknown = sorted(set(self.mask) - set(CATEGORIES))
        if unknown:
            raise UsageError(f"--mask knows no category {unknown[0]!r}; it knows {', '.join(CATEGORIES)}")
        if self.n_predict < 1:
            raise UsageError(f"--n-predict is {self.n_predict}; give a whole number of at least 1")
        if self.ctx_size is not None and self.ctx_size < 1:
            raise UsageError(f"--ctx-size is {self.ctx_size}; give a whole number of at least 1")

    def filters(self, vocabulary: Vocabulary) -> Filters:
        """These settings for one vocabulary. Raises UsageError for a value out of range."""
        mask = set(vocabulary.in_categories(self.mask))
        if self.ignore_eos:
            mask |= vocabulary.end_tokens
        return Filters(tuple(sorted(mask)), self.repeat_penalty, self.top_k, self.top_p, self.min_p)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "mask": list(self.mask)}
