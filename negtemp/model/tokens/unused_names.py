"""Names that vocabularies give to unused tokens: `<|reserved_special_token_9|>`, `[UNUSED_TOKEN_7]`.

A vocabulary is padded to a round size, or keeps tokens in reserve for later training. Converters write these as control
tokens, as user-defined ones or as ordinary text, so that only the name tells. A name counts where it is a word of the
list below with a number, between brackets or bars:

    <unused7>  [unused1]  <unused_0>  [UNUSED_TOKEN_0]  <|unused_1|>  <|unused999|>  >>UNUSED_105<<
                                                        Gemma, BERT, ChatGLM, InternLM 2, Granite, Yi, Falcon 3
    <|reserved_special_token_0|>  <|vision_reserved_special_token_1|>  <|reserved_200000|>  <reserved_106>
    <|reserved_token_163595|>  <|plamo:reserved:0x1E|>  Llama 3 and 4, gpt-oss, Baichuan, Kimi, PLaMo
    <|placeholder1|>  <｜place▁holder▁no▁0｜>  <[PLHD3_never_used_51bce0c7…]>  Phi-3, DeepSeek and Hunyuan, Seed
    <|dummy_0|>  <dummy00001>                           Phi-4, DeepSeek 1
    <|extra_0|>  <|extra0|>  <|extra_id_0|>  <|extratoken_1|>  <|EXTRA_0_TOKEN|>
                                                        Qwen 1, StableLM 2, OLMo 2, GPT-J, Command R
    [control_8]  <SPECIAL_20>  [PAD151643]  madeupword0000  Mistral, llama.cpp's converter, fairseq

A name without a number counts only between bars, as SOLAR's `<|dummy|>`: `[reserved]` and `<placeholder>` are text that
people write. It leaves out names that say what the token is for, such as `|||IP_ADDRESS|||` or `<|USER_1_TOKEN|>`, and
whether the token is used all the same, which `categories` asks the chat template and the file's own roles.

Source: the tokenizer files of the models named, as published.
"""

import re
from collections.abc import Callable, Iterable

from negtemp.errors import UsageError

_NUMBER = r"(?:0x[0-9a-f]+|\d+)"
_NUMBERED = (
    r"(?:unused|reserved?|place_?holder|plhd|dummy|spare|extra|extra_id|extra_?token|special|control|pad)"
    r"(?:_?(?:special|unused|reserved))*(?:_?token)?(?:_?(?:no|id))?"
)
# what a name may say before: whose or what for, as `vision_` and `plamo:`
_PREFIX = r"(?:[a-z]+[_:])*?"
_WITH_NUMBER = re.compile(rf"{_PREFIX}{_NUMBERED}[_:\-#]*{_NUMBER}(?:_?token)?(?:_never_used_[0-9a-f]+)?")
_WITHOUT_NUMBER = re.compile(rf"{_PREFIX}(?:unused|reserved|dummy)(?:_?(?:special))?(?:_?token)?")
_FAIRSEQ = re.compile(r"<?madeupword\d{4,}>?")

# what stands around a name; the first that fits
_BARS = (("<|", "|>"), ("<｜", "｜>"), ("[|", "|]"))
_BRACKETS = (*_BARS, ("<[", "]>"), (">>", "<<"), ("<", ">"), ("[", "]"))
FIRST = b"<[>m"
"""The first bytes of all such names."""

_SPACES = re.compile(r"[\s▁]+")

Test = Callable[[bytes], bool]


def is_unused_name(piece: bytes) -> bool:
    """Whether a token's name says that it is unused.

    >>> is_unused_name(b"<|reserved_special_token_0|>"), is_unused_name(b"unused"), is_unused_name(b"[reserved]")
    (True, False, False)
    """
    if not piece or piece[0] not in FIRST:  # all but a few of a large vocabulary
        return False
    try:
        text = piece.decode("utf-8").lower()
    except UnicodeDecodeError:
        return False
    inner = _inner(text, _BRACKETS)
    if inner is not None and _WITH_NUMBER.fullmatch(inner):
        return True
    inner = _inner(text, _BARS)
    return bool((inner is not None and _WITHOUT_NUMBER.fullmatch(inner)) or _FAIRSEQ.fullmatch(text))


def _inner(text: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    """What a pair of brackets holds, its spaces as `_`; None where none of the pairs is there."""
    for opening, closing in pairs:
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
            return _SPACES.sub("_", text[len(opening) : -len(closing)])
    return None


def matching(patterns: Iterable[str]) -> Test:
    """Whether a name is of the list above or fits any of the patterns, in which `*` stands for anything.

    Raises UsageError for a pattern that would fit every name.

    >>> test = matching(["<|slot_*|>"])
    >>> test(b"<|slot_4|>"), test(b"<|slut_4|>"), test(b"<unused4>")
    (True, False, True)
    """
    compiled = [_compiled(pattern) for pattern in patterns]
    if not compiled:
        return is_unused_name
    return lambda piece: is_unused_name(piece) or any(one.fullmatch(piece) for one in compiled)


def _compiled(pattern: str) -> re.Pattern[bytes]:
    parts = pattern.encode("utf-8", "surrogateescape").split(b"*")
    if not any(parts):
        raise UsageError(f"--unused is {pattern!r}, which fits every token; give a name such as '<|slot_*|>'")
    return re.compile(b".*".join(map(re.escape, parts)), re.DOTALL)
