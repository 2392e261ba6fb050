"""The family's two kinds of tokenizer behind one face: text to ids for training, the vocabulary into a GGUF file.

SentencePiece BPE with byte fallback is the bundled model's (`tiny_model.vocabulary`); in GGUF it is the tokenizer
`llama`. The other kind is in `byte_level`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import gguf
from sentencepiece import SentencePieceProcessor
from tiny_model.export import add_vocabulary
from tiny_model.vocabulary import train_tokenizer

from audit.byte_level import ByteLevel, train_byte_level
from audit.family import Kind
from audit.text import Text

Extra = Sequence[tuple[str, gguf.TokenType]]


class Tokenizer(Protocol):
    """What training and export ask of a tokenizer."""

    @property
    def beginning(self) -> int:
        """The id that stands before a text."""

    def document(self, text: str) -> list[int]:
        """The ids of a document, with what marks its beginning and end."""

    def describe(self, writer: gguf.GGUFWriter, extra: Extra = ()) -> None:
        """Write the vocabulary into a GGUF file; `extra` names follow the pieces."""


class SentencePiece:
    """`<s>`, the pieces, `</s>`."""

    def __init__(self, path: Path) -> None:
        self._processor = SentencePieceProcessor(model_file=str(path))

    @property
    def beginning(self) -> int:
        """The id of `<s>`."""
        return int(self._processor.bos_id())

    def document(self, text: str) -> list[int]:
        """The ids of a document."""
        processor = self._processor
        return [processor.bos_id(), *processor.encode(text), processor.eos_id()]

    def describe(self, writer: gguf.GGUFWriter, extra: Extra = ()) -> None:
        """Write the vocabulary into a GGUF file; `extra` names follow the pieces."""
        add_vocabulary(writer, self._processor, extra)


def unused_names(unused: int, padding: int, vocab: int) -> Extra:
    """Names for rows that no text reaches: `<unused0>` and on as Gemma has them, then `[PAD2016]` and on as converters
    write them; `vocab` is the number of rows with both.
    """
    reserved = [(f"<unused{number}>", gguf.TokenType.USER_DEFINED) for number in range(unused)]
    padded = [(f"[PAD{row}]", gguf.TokenType.UNUSED) for row in range(vocab - padding, vocab)]
    return [*reserved, *padded]


def make(kind: Kind, vocab: int, text: Text, folder: Path) -> Tokenizer:
    """The tokenizer of a kind and size; trained once, then read from the folder."""
    path = folder / f"{kind}{vocab}.{'model' if kind == 'spm' else 'json'}"
    if not path.exists():
        if kind == "spm":
            lines = [line for document in text.for_tokenizers for line in document.split("\n") if line]
            path.write_bytes(train_tokenizer(lines, vocab).serialized_model_proto())
        else:
            train_byte_level(text.for_tokenizers, vocab, path)
    return SentencePiece(path) if kind == "spm" else ByteLevel(path)
