"""A user's message as the model's own chat template frames it, in two ways.

framed    as llama.cpp writes it, which recognises the template among those it knows; no template code is run. Tokens
          are asked for so: every model of a kind gets the same frame, and no system message
rendered  as the template itself writes it, a Jinja program run in a sandbox, with the system message that it may put
          there; this is what the model's users see

`framed` takes one message; `rendered` takes a conversation. They leave out tools.

Source: llama.h, `llama_chat_apply_template`, `llama_model_chat_template`; huggingface.co/docs/transformers,
chat_templating.
"""

import ctypes
from collections.abc import Sequence

from negtemp.errors import PromptError
from negtemp.model import library
from negtemp.model.llama.model import Model
from negtemp.printable import printable, printable_text

_SHOWN = 40


def has_template(model: Model) -> bool:
    """Whether the file holds a chat template at all."""
    return _template(model) is not None


def _template(model: Model) -> bytes | None:
    found: bytes | None = model.library.api.llama_model_chat_template(model.handle, None)
    return found


def framed(model: Model, message: str) -> str:
    """The message as the user's turn, up to where the answer begins.

    Raises PromptError where the file holds no template or llama.cpp does not know it.
    """
    template = _template(model)
    if template is None:
        raise PromptError("this file holds no chat template; leave the instruction out, or use a chat model")
    api, data = model.library.api, message.encode()
    chat = (api.llama_chat_message * 1)(api.llama_chat_message(b"user", data))
    room = 2 * len(data) + 4096
    buffer = ctypes.create_string_buffer(room)
    written = api.llama_chat_apply_template(template, chat, 1, True, buffer, room)
    if not 0 <= written <= room:
        begin = printable(template[:_SHOWN], keep=" ")
        raise PromptError(f"llama.cpp does not know this file's chat template ({begin}…); leave the instruction out")
    return buffer.raw[:written].decode("utf-8", "replace")


def rendered(model: Model, message: str, system: str | None = None, before: Sequence[tuple[str, str]] = ()) -> str:
    """The same by the template's own program, below a system message and earlier pairs of message and answer.

    A BOS that it begins with is left out where the tokenizer adds it. Raises PromptError for a file without a template,
    and for one that fails or refuses.
    """
    template = _template(model)
    if template is None:
        raise PromptError("this file holds no chat template; leave --chat and --system out")
    messages = [{"role": "system", "content": system}] if system is not None else []
    for asked, answer in before:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    messages.append({"role": "user", "content": message})
    bos, eos = (model.vocabulary.detokenize(ids).decode("utf-8", "replace") for ids in _ends(model))
    try:
        written = library.format_chat(template.decode("utf-8", "replace"), messages, bos, eos)
    except Exception as error:  # a template is a stranger's program
        said = printable_text(str(error), keep=" ") or type(error).__name__
        raise PromptError(f"this file's chat template fails: {said}") from None
    return written.removeprefix(bos) if model.vocabulary.beginning else written


def _ends(model: Model) -> list[list[int]]:
    """BOS and EOS, or nothing."""
    api = model.library.api
    vocabulary = api.llama_model_get_vocab(model.handle)
    return [[one] if one >= 0 else [] for one in (api.llama_vocab_bos(vocabulary), api.llama_vocab_eos(vocabulary))]
