"""The family's two kinds of tokenizer behind one face: text to ids for training, the vocabulary into a GGUF file.

SentencePiece BPE with byte fallback is the bundled model's (`tiny_model.vocabulary`); in GGUF it is the tokenizer
`llama`. The other kind is in `byte_level`.
"""

from pathlib import Path
from typing import Protocol

import gguf
from sentencepiece import SentencePieceProcessor
from tiny_model.export import add_vocabulary
from tiny_model.vocabulary import train_tokenizer

from audit.byte_level import ByteLevel, train_byte_level
from audit.family import Kind
from audit.text import Text


class Tokenizer(Protocol):
    """What training and export ask of a tokenizer."""

    def document(self, text: str) -> list[int]:
        """The ids of a document, with what marks its beginning and end."""

    def describe(self, writer: gguf.GGUFWriter) -> None:
        """Write the vocabulary into a GGUF file."""


class SentencePiece:
    """`<s>`, the pieces, `</s>`."""

    def __init__(self, path: Path) -> None:
        self._processor = SentencePieceProcessor(model_file=str(path))

    def document(self, text: str) -> list[int]:
        """The ids of a document."""
        processor = self._processor
        return [processor.bos_id(), *processor.encode(text), processor.eos_id()]

    def describe(self, writer: gguf.GGUFWriter) -> None:
        """Write the vocabulary into a GGUF file."""
        add_vocabulary(writer, self._processor)


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
