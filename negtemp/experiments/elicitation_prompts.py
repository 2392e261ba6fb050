"""The prompts that ask a model to say a token: their wording, and which of them a model can be asked with.

    echo          three words are echoed, then the token should be
    definition    a question about the token, and an answer that begins by quoting it
    repetition    the token many times over
    instruction   a user asks for the token; the file's chat template frames the message, and the answer has begun
                  with a quotation mark

The id stands in each prompt exactly (`model.tokens.splicing`), and the next token is the answer. Every prompt ends in a
quotation mark or in the token itself, after which a token with a leading space is as natural as one without. It leaves
out how a model is asked (`elicitation`).

The first three ask as the literature does (Land & Bartolo 2024, section 3.3), in words of our own.
"""

from collections.abc import Mapping, Sequence

from negtemp.errors import PromptError, UsageError
from negtemp.model.llama import chat
from negtemp.model.llama.model import Model
from negtemp.model.tokens.splicing import SLOT, Template, template

NAMES = ("echo", "definition", "repetition", "instruction")

ANSWER_TOKENS = 4

_WORDS = ("river", "seven", "garden")
_TIMES = 12
_MARK = "NEGTEMPSLOT"  # stands for the id while a chat template frames the message

_DEFINITION = ('Question: what does the word "', SLOT, '" mean?\nAnswer: the word "')
_REPETITION = ("One word, over and over:", *(SLOT,) * _TIMES)
_INSTRUCTION = f'Say this word back to me exactly as it stands, in quotation marks, and nothing else: "{_MARK}"'


def _echo() -> list[str | None]:
    parts: list[str | None] = ["A machine echoes each word that it is given.\n"]
    for word in (*_WORDS, SLOT):
        parts += ['Word "', word, '", echo "', word, '"\n']
    return parts[:-2]


def _instruction(model: Model) -> list[str | None]:
    """Raises PromptError where the file's chat template is missing, unknown, or swallows the message."""
    pieces = (chat.framed(model, _INSTRUCTION) + '"').split(_MARK)
    if len(pieces) != 2:
        raise PromptError("this file's chat template does not hold the message once; leave the instruction out")
    return [pieces[0], SLOT, pieces[1]]


def chosen(model: Model, names: Sequence[str]) -> dict[str, Template]:
    """The prompts of the given names, in the order of NAMES.

    Raises UsageError for an unknown name or none at all, PromptError where the instruction cannot be framed.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown or not names:
        wrong = f"holds {unknown[0]!r}, which is not one" if unknown else "is empty"
        raise UsageError(f"`shapes` {wrong}; give some of {', '.join(NAMES)}")
    parts: Mapping[str, Sequence[str | None]] = {"echo": _echo(), "definition": _DEFINITION, "repetition": _REPETITION}
    plain = {name: template(model.vocabulary, parts[name]) for name in NAMES if name in names and name in parts}
    if "instruction" in names:
        plain["instruction"] = template(model.vocabulary, _instruction(model), special=True)
    return plain


def available(model: Model) -> tuple[dict[str, Template], list[str]]:
    """Every prompt that this model can be asked with, and a line for each other one that says why not.

    A model without a chat template simply has no instruction. Raises PromptError where nothing is left.
    """
    found, reasons = chosen(model, NAMES[:-1]), []
    if chat.has_template(model):
        try:
            found |= chosen(model, NAMES[-1:])
        except PromptError as error:
            reasons.append(str(error))
    room = model.trained_context - ANSWER_TOKENS
    for name in [name for name in found if len(found[name].fill(0)) > room]:
        reasons.append(f"the prompt {name} has {len(found.pop(name).fill(0))} tokens, the context {room}")
    if not found:
        raise PromptError(f"no prompt that asks for a token fits this model: {reasons[0]}")
    return found, reasons
