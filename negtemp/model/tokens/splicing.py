"""Prompts with a token id put into them, whatever its text would be tokenized to.

A token that a model never learned seldom comes back from its own text, and a SentencePiece tokenizer puts a space
before every text that it is given. So the texts around a slot are tokenized apart, as they stand inside a prompt, and
ids are joined with ids. It leaves out the wording (`experiments.elicitation_prompts`).

Source of the idea: Land & Bartolo 2024 (arXiv 2405.05417), who replace the ids of a placeholder word.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from negtemp.model.tokens.vocabulary import Vocabulary

SLOT = None
"""Where an id goes, in the parts of a prompt."""

# texts that a part is tokenized after; one of them does not merge with it
_MARKS = (b"\n", b"a", b"1", b".", "«".encode())


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with one or more slots: the token ids between them."""

    pieces: tuple[tuple[int, ...], ...]

    def fill(self, token_id: int) -> tuple[int, ...]:
        """The prompt with `token_id` in every slot."""
        head, *rest = self.pieces
        return (*head, *itertools.chain.from_iterable((token_id, *piece) for piece in rest))


def template(vocabulary: Vocabulary, parts: Sequence[str | None], special: bool = False) -> Template:
    """A Template of texts and SLOTs, with the model's BOS before it. Each text is tokenized apart from its neighbours.

    special: read `<s>` and the like in the texts as control tokens, as a chat template wants.
    """
    pieces = [list(vocabulary.beginning)]
    for number, part in enumerate(parts):
        if part is SLOT:
            pieces.append([])
        elif number == 0:
            pieces[-1] += _first(vocabulary, part, special)
        else:
            pieces[-1] += inside(vocabulary, part, special)
    return Template(tuple(map(tuple, pieces)))


def _first(vocabulary: Vocabulary, text: str, special: bool) -> list[int]:
    """A text at the beginning of a prompt, less a BOS of its own where the model adds one."""
    token_ids, before = vocabulary.encode(text.encode(), special), vocabulary.beginning
    return token_ids[1:] if before and token_ids[:1] == before else token_ids


def inside(vocabulary: Vocabulary, text: str, special: bool = False) -> list[int]:
    """Token ids of a text that something stands before: no space is put in front of it, no byte lost.

    Where a tokenizer cannot do that (it lowers case, or splits by words), its plain tokenization.
    """
    data = text.encode()
    for mark in _MARKS:
        before, both = vocabulary.encode(mark), vocabulary.encode(mark + data, special)
        after = both[len(before) :]
        if both[: len(before)] == before and _as_spaces(vocabulary.detokenize(after)) == _as_spaces(data):
            return after
    return vocabulary.encode(data, special)


def _as_spaces(data: bytes) -> bytes:
    """A vocabulary without a token for SentencePiece's space mark spells it in bytes."""
    return data.replace("▁".encode(), b" ")
