"""Tokens as bytes and back, without loss, and the category of each.

The binding's own `detokenize` drops pieces longer than 32 bytes and decodes with errors ignored; a negative temperature
picks exactly such tokens. Here every piece is read by the low-level call into a buffer that grows, control tokens
included, and stays bytes. It leaves out any view of those bytes (`printable`).

Source: llama.h, `llama_token_to_piece`, `llama_tokenize`, `enum llama_token_attr`.
"""

import ctypes
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from negtemp.errors import ModelError, PromptError
from negtemp.model.tokens import unused_names

if TYPE_CHECKING:
    from negtemp.model.tokens.table import TokenTable

Category = Literal["normal", "control", "byte", "unused", "user-defined", "unknown"]
CATEGORIES: tuple[Category, ...] = get_args(Category)

# enum llama_token_attr, by precedence: a file may set several
_ATTRIBUTES: tuple[tuple[int, Category], ...] = (
    (1 << 5, "byte"), (1 << 3, "control"), (1 << 1, "unused"), (1 << 4, "user-defined"),
    (1 << 0, "unknown"), (1 << 2, "normal"),
)  # fmt: skip

_FIRST_BUFFER = 64


class TokenizedPrompt(str):
    """A prompt that is given as token ids, `token_ids`; as a string it is their text."""

    token_ids: tuple[int, ...]

    def __new__(cls, text: str, token_ids: tuple[int, ...]) -> "TokenizedPrompt":
        prompt = super().__new__(cls, text)
        prompt.token_ids = token_ids
        return prompt


class Vocabulary:
    """The vocabulary of one loaded model; token ids run from 0 to `size` - 1."""

    def __init__(
        self, api: Any, handle: Any, chat_template: bytes = b"", digest: Callable[[], str | None] = lambda: None
    ) -> None:
        """`chat_template` tells which reserved names are in use, `digest` what its table is kept under, if it is."""
        self._api = api
        self._handle = handle
        self._chat_template = chat_template
        self._digest = digest
        self._table: TokenTable | None = None
        self.size = int(api.llama_vocab_n_tokens(handle))
        self._pieces: dict[int, bytes] = {}

    @property
    def table(self) -> "TokenTable | None":
        """All tokens at once, where they are known: looked for when something first asks for all of a kind."""
        from negtemp.model.tokens import table  # numpy comes in here, so that --help stays quick

        if self._table is None and self._kept_under:
            self._table = table.kept(self._kept_under, self.size)
        return self._table

    def remember(self, categories: Sequence[int]) -> "TokenTable":
        """The table of all tokens with these numbers of categories, kept from now on."""
        from negtemp.model.tokens.table import TokenTable

        self._table = TokenTable.of(self.pieces(), self._attributes, self.end_tokens, categories)
        if self._kept_under:
            self._table.keep(self._kept_under)
        return self._table

    @functools.cached_property
    def _kept_under(self) -> str | None:
        return self._digest()

    def piece(self, token_id: int) -> bytes:
        """The bytes of a token, whole, control tokens by their names. Raises ModelError for an id out of range."""
        known = self._pieces.get(token_id)
        if known is None:
            self._require(token_id)
            known = self._table.piece(token_id) if self._table else self._read_piece(token_id)
            self._pieces[token_id] = known
        return known

    def pieces(self) -> list[bytes]:
        """The bytes of every token, in the order of ids."""
        if len(self._pieces) < self.size:
            buffer = ctypes.create_string_buffer(_FIRST_BUFFER)
            one_by_one = functools.partial(self._read_piece, buffer=buffer)
            self._pieces = dict(enumerate(map(self.table.piece if self.table else one_by_one, range(self.size))))
        # not its values: those stand in the order in which they were first asked for
        return [self._pieces[one] for one in range(self.size)]

    def _read_piece(self, token_id: int, buffer: Any = None) -> bytes:
        """The bytes of a token by way of a buffer, a new one where it is too small."""
        buffer = buffer or ctypes.create_string_buffer(_FIRST_BUFFER)
        written = self._api.llama_token_to_piece(self._handle, token_id, buffer, len(buffer), 0, True)
        if written >= 0:
            return bytes(buffer.raw[:written])
        return self._read_piece(token_id, ctypes.create_string_buffer(-written))

    def detokenize(self, token_ids: Sequence[int]) -> bytes:
        """The bytes of a sequence of tokens, one piece after the other."""
        return b"".join(map(self.piece, token_ids))

    def tokenize(self, text: str) -> list[int]:
        """Token ids as llama.cpp's own tools make them: with the model's BOS or EOS, and `<s>` read as a control token.

        Of a TokenizedPrompt its own. Raises PromptError where the text is no valid Unicode or the tokenizer fails.
        """
        if isinstance(text, TokenizedPrompt):
            return list(text.token_ids)
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PromptError(
                f"the prompt is not valid UTF-8 (at character {error.start}); encode it as UTF-8"
            ) from None
        return self._tokenize(data, len(data) + 2, True, True)

    def prompt_of(self, token_ids: Sequence[int]) -> "TokenizedPrompt":
        """The prompt that these ids are. Raises PromptError for none, ModelError for one out of range."""
        if not token_ids:
            raise PromptError("a prompt of token ids needs at least one")
        return TokenizedPrompt(self.detokenize(token_ids).decode("utf-8", "replace"), tuple(token_ids))

    def encode(self, data: bytes, special: bool = False) -> list[int]:
        """Token ids of nothing but these bytes: no BOS or EOS is added, and `<s>` is three characters of text, unless
        `special` reads it as a control token.
        """
        return self._tokenize(data, len(data) + 2, False, special)

    def _tokenize(self, data: bytes, room: int, add: bool, special: bool) -> list[int]:
        buffer = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self._handle, data, len(data), buffer, room, add, special)
        if count == -(2**31):
            raise PromptError(f"a prompt of {len(data)} bytes is too long to tokenize; shorten it")
        return list(buffer[:count]) if count >= 0 else self._tokenize(data, -count, add, special)

    @property
    def beginning(self) -> list[int]:
        """What the model puts before every prompt: BOS, or nothing."""
        if not self._api.llama_vocab_get_add_bos(self._handle):
            return []
        bos = int(self._api.llama_vocab_bos(self._handle))
        return [bos] if bos >= 0 else []

    def doubles_beginning(self, token_ids: Sequence[int]) -> bool:
        """Whether a prompt writes the BOS that the model puts before it anyway."""
        return bool(self.beginning) and list(token_ids[:2]) == 2 * self.beginning

    def name(self, token_id: int) -> bytes:
        """The token as the file writes it: `▁` or `Ġ` for a space, `<0x0A>` for a byte. Raises ModelError."""
        self._require(token_id)
        return bytes(self._api.llama_vocab_get_text(self._handle, token_id) or b"")

    @property
    def has_tokenizer(self) -> bool:
        """Whether the file holds a tokenizer at all; llama.cpp aborts when asked to tokenize without one."""
        return bool(self._api.llama_vocab_type(self._handle) != self._api.LLAMA_VOCAB_TYPE_NONE)

    @property
    def is_sentencepiece(self) -> bool:
        """Whether the tokenizer is SentencePiece's BPE, which joins the neighbours of the best score."""
        return bool(self._api.llama_vocab_type(self._handle) == self._api.LLAMA_VOCAB_TYPE_SPM)

    @property
    def joins_neighbours(self) -> bool:
        """Whether the tokenizer builds tokens by joining neighbours: SentencePiece's BPE, and BPE over bytes."""
        return self._api.llama_vocab_type(self._handle) in (
            self._api.LLAMA_VOCAB_TYPE_SPM, self._api.LLAMA_VOCAB_TYPE_BPE,
        )  # fmt: skip

    def category(self, token_id: int) -> Category:
        """What kind of token the file says this is. Raises ModelError for an id out of range."""
        self._require(token_id)
        return _category(self._api.llama_vocab_get_attr(self._handle, token_id))

    def categories(self) -> list[Category]:
        """What the file says of every token, in the order of ids."""
        kinds = {bits: _category(bits) for bits in set(self._attributes)}
        return [kinds[bits] for bits in self._attributes]

    @functools.cached_property
    def _attributes(self) -> list[int]:
        """llama.cpp's bits for every token."""
        if self.table is not None:
            return list(self.table.attributes.tolist())
        return [self._api.llama_vocab_get_attr(self._handle, one) for one in range(self.size)]

    def in_categories(self, categories: Collection[str]) -> list[int]:
        """Ids of every token in any of the categories, ascending; `unused` are those named so as well."""
        if not categories:
            return []
        named = set(self.named_unused()) if "unused" in categories else ()
        return [one for one, kind in enumerate(self.categories()) if kind in categories or one in named]

    def named_unused(self, patterns: Iterable[str] = ()) -> list[int]:
        """Ids of the tokens whose names say that they are unused, or fit a pattern, in which `*` stands for
        anything; less those that the file gives a role or its chat template writes. Raises UsageError.
        """
        given = list(patterns)
        is_unused = unused_names.matching(given)
        if not self.has_tokenizer:
            return []
        # of a large vocabulary all but a few begin otherwise
        known = None if given else self.table
        tried = known.beginning(unused_names.FIRST) if known else range(self.size)
        return [one for one in tried if is_unused(self.piece(one)) and not self._is_used(one)]

    def _is_used(self, token_id: int) -> bool:
        return token_id in self._roles or self.piece(token_id) in self._chat_template

    @functools.cached_property
    def _roles(self) -> frozenset[int]:
        """Ids that the file gives a role; padding is none, since a model never learns it."""
        roles = ("bos", "eos", "eot", "sep", "mask", "fim_pre", "fim_suf", "fim_mid", "fim_rep", "fim_sep")
        given = (getattr(self._api, f"llama_vocab_{role}")(self._handle) for role in roles)
        return self.end_tokens | {int(one) for one in given}

    def is_end(self, token_id: int) -> bool:
        """Whether the token ends a generation (EOS, EOT and their like)."""
        return token_id in self.end_tokens

    @functools.cached_property
    def end_tokens(self) -> frozenset[int]:
        """Ids of every token that ends a generation."""
        if self.table is not None:
            return frozenset(self.table.ending())
        return frozenset(i for i in range(self.size) if self._api.llama_vocab_is_eog(self._handle, i))

    def _require(self, token_id: int) -> None:
        if not 0 <= token_id < self.size:
            raise ModelError(f"token {token_id} does not exist; this vocabulary has ids 0 to {self.size - 1}")


def _category(attributes: int) -> Category:
    return next((name for bit, name in _ATTRIBUTES if attributes & bit), "unknown")
