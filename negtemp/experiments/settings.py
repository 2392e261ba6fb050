"""How to generate, whatever the prompt and the temperature: the one table of sampling settings.

Each field of `Settings` says its default, its range, its flags and what it does. The command line (`cli.options`), the
TOML plan (`cli.plan`) and the Python face (`api`) are made from it; a new setting is an entry here, the same name in
`SettingsOptions`, and its use, such as in `model.engine.sampler`; a filter stands in `_FILTERS` and in
`model.engine.request.Filters` as well. A run begun before it is one of other settings, and does not go on.

It needs neither numpy nor the library, so that a command's options can be read without them.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from negtemp.errors import UsageError
from negtemp.model.engine.request import Filters
from negtemp.model.tokens.vocabulary import CATEGORIES, Vocabulary

PROMPT = "Temperature is a concept"
_FILTERS = ("repeat_penalty", "top_k", "top_p", "min_p")
UNLIMITED = -1


class Option(NamedTuple):
    """What a setting is beside its name, type and default; `lowest` counts as allowed."""

    flags: tuple[str, ...]
    help: str
    panel: str = "Sampling"
    lowest: int | None = None
    metavar: str | None = None
    show_default: str | bool = True


def _setting(default: Any, *flags: str, help: str, **others: Any) -> Any:
    return dataclasses.field(default=default, metadata={"option": Option(flags, help, **others)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to generate, whatever the prompt and the temperature. The defaults switch every filter off.

    n_predict  tokens to generate at most; -1 means as many as the context holds
    ctx_size  tokens a sequence may hold, its prompt included; None means what the model was trained on
    mask      categories of tokens that may not be drawn
    """

    n_predict: int = _setting(
        40, "-n", "--n-predict", "--predict", "--max-tokens",
        help="tokens to generate at most; -1 for as many as the context holds",
    )  # fmt: skip
    ctx_size: int | None = _setting(
        None, "-c", "--ctx-size", help="tokens a sequence may hold, its prompt included; 0 as trained", panel="Model",
        lowest=0, show_default="as trained",
    )  # fmt: skip
    mask: tuple[str, ...] = _setting(
        (), "--mask", help="kinds of tokens never drawn, such as control,unused,byte", metavar="LIST"
    )
    ignore_eos: bool = _setting(False, "--ignore-eos", help="never draw a token that ends the generation")
    repeat_penalty: float = _setting(
        1.0, "--repeat-penalty", help="1 is off; below zero a penalty rewards what it names"
    )
    top_k: int = _setting(0, "--top-k", help="keep the k most likely tokens; 0 is off")
    top_p: float = _setting(1.0, "--top-p", help="keep a nucleus of this mass; 1 is off")
    min_p: float = _setting(0.0, "--min-p", help="keep tokens of this share of the best's p; 0 is off")

    def __post_init__(self) -> None:
        """Raises UsageError for a category that does not exist or a value out of range."""
        self._filters(())
        unknown = sorted(set(self.mask) - set(CATEGORIES))
        if unknown:
            raise UsageError(f"`mask` knows no category {unknown[0]!r}; it knows {', '.join(CATEGORIES)}")
        if self.n_predict < 1 and self.n_predict != UNLIMITED:
            raise UsageError(f"`n_predict` is {self.n_predict}; give a whole number of at least 1, or -1 for no limit")
        for name, setting in SETTINGS.items():
            value = getattr(self, name)
            if setting.option.lowest is not None and value is not None and value < setting.option.lowest:
                raise UsageError(f"`{name}` is {value}; give a whole number of at least {setting.option.lowest}")
        # llama.cpp's word for the same, which must not make another run of it
        object.__setattr__(self, "ctx_size", self.ctx_size or None)

    def tokens(self, context: int) -> int:
        """Tokens to generate at most in a context of so many."""
        return context if self.n_predict == UNLIMITED else self.n_predict

    def filters(self, vocabulary: Vocabulary) -> Filters:
        """These settings for one vocabulary. Raises UsageError for a value out of range."""
        mask = set(vocabulary.in_categories(self.mask))
        if self.ignore_eos:
            mask |= vocabulary.end_tokens
        return self._filters(tuple(sorted(mask)))

    def _filters(self, mask: tuple[int, ...]) -> Filters:
        return Filters(mask, **{name: getattr(self, name) for name in _FILTERS})


class SettingsOptions(TypedDict, total=False):
    """The same as keywords of a Python call; a test holds the two alike."""

    n_predict: int
    ctx_size: int | None
    mask: tuple[str, ...]
    ignore_eos: bool
    repeat_penalty: float
    top_k: int
    top_p: float
    min_p: float


class Setting(NamedTuple):
    """One entry of the table."""

    name: str
    type: Any
    default: Any
    option: Option


SETTINGS = {
    field.name: Setting(field.name, field.type, field.default, field.metadata["option"])
    for field in dataclasses.fields(Settings)
}
