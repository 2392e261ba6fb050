"""The family's two kinds of tokenizer behind one face: text to ids for training, the vocabulary into a GGUF file.

SentencePiece BPE with byte fallback is the bundled model's (`tiny_model.vocabulary`); in GGUF it is the tokenizer
`llama`. Byte-level BPE (Radford et al. 2019) comes from Hugging Face's `tokenizers`; in GGUF it is `gpt2` with the
pre-tokenizer `gpt-2`, its pieces and merges in GPT-2's printable alphabet of bytes. That alphabet is always whole, so
such a vocabulary holds bytes which no valid UTF-8 has (C0, C1, F5 to FF): tokens that cannot have been seen.
"""

import json
from pathlib import Path
from typing import Protocol

import gguf
import tokenizers
from sentencepiece import SentencePieceProcessor
from tiny_model.export import add_vocabulary
from tiny_model.vocabulary import train_tokenizer

from audit.family import Kind
from audit.text import Text

END_OF_TEXT = "<|endoftext|>"


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
        processor = self._processor
        return [processor.bos_id(), *processor.encode(text), processor.eos_id()]

    def describe(self, writer: gguf.GGUFWriter) -> None:
        add_vocabulary(writer, self._processor)


class ByteLevel:
    """The pieces, then `<|endoftext|>`, which also stands before a prompt."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._model = json.loads(path.read_text(encoding="utf-8"))["model"]

    def document(self, text: str) -> list[int]:
        return [*self.encode(text), int(self._tokenizer.token_to_id(END_OF_TEXT))]

    def encode(self, text: str) -> list[int]:
        """The ids of a text alone."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def describe(self, writer: gguf.GGUFWriter) -> None:
        pieces = sorted(self._model["vocab"], key=self._model["vocab"].__getitem__)
        end = pieces.index(END_OF_TEXT)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(pieces)
        writer.add_token_types(
            [gguf.TokenType.CONTROL if i == end else gguf.TokenType.NORMAL for i in range(len(pieces))]
        )
        writer.add_token_merges([" ".join(merge) for merge in self._model["merges"]])
        writer.add_bos_token_id(end)
        writer.add_eos_token_id(end)
        writer.add_add_bos_token(True)


def make(kind: Kind, vocab: int, text: Text, folder: Path) -> Tokenizer:
    """The tokenizer of a kind and size; trained once, then read from the folder."""
    path = folder / f"{kind}{vocab}.{'model' if kind == 'spm' else 'json'}"
    if not path.exists():
        (_train_sentencepiece if kind == "spm" else _train_byte_level)(text, vocab, path)
    return SentencePiece(path) if kind == "spm" else ByteLevel(path)


def _train_sentencepiece(text: Text, vocab: int, path: Path) -> None:
    lines = [line for document in text.for_tokenizers for line in document.split("\n") if line]
    path.write_bytes(train_tokenizer(lines, vocab).serialized_model_proto())


def _train_byte_level(text: Text, vocab: int, path: Path) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.for_tokenizers, trainer)
    tokenizer.save(str(path))
