"""The prompts that ask a model to say a token: their wording, and which of them a model can be asked.

    echo          three words are echoed, then the token is to be
    definition    a question about the token, and an answer that begins by quoting it
    repetition    the token many times over
    instruction   a user asks for it, framed by the file's chat template, and the answer's quotation mark is open

The id stands in each prompt exactly (`model.tokens.splicing`), and the place of the answer is the next token: a token
that brings its own space stands after a quotation mark as well as any other. It leaves out what the answers mean
(`repeat`).

The first three ask as the literature does (Land & Bartolo 2024, section 3.3), in words of our own.
"""

from collections.abc import Mapping, Sequence

from negtemp.errors import PromptError, UsageError
from negtemp.model.llama import chat
from negtemp.model.llama.model import Model
from negtemp.model.tokens.splicing import SLOT, Template, template

SHAPES = ("echo", "definition", "repetition", "instruction")

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
    """The prompts of the given names, in the order of SHAPES.

    Raises UsageError for a name that is none, PromptError where the instruction cannot be framed.
    """
    unknown = sorted(set(names) - set(SHAPES))
    if unknown or not names:
        wrong = f"holds {unknown[0]!r}, which is none" if unknown else "is empty"
        raise UsageError(f"`shapes` {wrong}; give some of {', '.join(SHAPES)}")
    parts: Mapping[str, Sequence[str | None]] = {"echo": _echo(), "definition": _DEFINITION, "repetition": _REPETITION}
    plain = {name: template(model.vocabulary, parts[name]) for name in SHAPES if name in names and name in parts}
    if "instruction" in names:
        plain["instruction"] = template(model.vocabulary, _instruction(model), special=True)
    return plain


def available(model: Model) -> tuple[dict[str, Template], list[str]]:
    """Every prompt that this model can be asked, and in a line each why others are left out.

    A model without a chat template simply has no instruction. Raises PromptError where nothing is left.
    """
    found, reasons = chosen(model, SHAPES[:-1]), []
    if chat.has_template(model):
        try:
            found |= chosen(model, SHAPES[-1:])
        except PromptError as error:
            reasons.append(str(error))
    room = model.trained_context - ANSWER_TOKENS
    for name in [name for name in found if len(found[name].fill(0)) > room]:
        reasons.append(f"the prompt shape {name} has {len(found.pop(name).fill(0))} tokens, the context {room}")
    if not found:
        raise PromptError(f"no prompt shape fits this model: {reasons[0]}")
    return found, reasons
