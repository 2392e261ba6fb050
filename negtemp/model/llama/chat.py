"""A user's message as the model's own chat template frames it.

llama.cpp recognises the template that the file holds among those it knows and writes the frame itself; no template
code is run. It leaves out systems, tools and histories: one message, one answer to begin.

Source: llama.h, `llama_chat_apply_template`, `llama_model_chat_template`.
"""

import ctypes

from negtemp.errors import PromptError
from negtemp.model.llama.model import Model
from negtemp.printable import printable

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
