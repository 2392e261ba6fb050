"""Byte-level BPE (Radford et al. 2019), trained by Hugging Face's `tokenizers`, into a GGUF file as llama.cpp reads it.

In GGUF it is the tokenizer `gpt2` with the pre-tokenizer `gpt-2`: pieces and merges in GPT-2's printable alphabet of
bytes, pieces in the order of their ids. That alphabet is always whole, so the vocabulary holds bytes which no valid
UTF-8 has (C0, C1, F5 to FF): tokens that cannot have been seen.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import gguf
import tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

END_OF_TEXT = "<|endoftext|>"


class ByteLevel:
    """A trained tokenizer, read from its JSON file; `<|endoftext|>` ends a document and stands before a prompt."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._model = json.loads(path.read_text(encoding="utf-8"))["model"]

    def encode(self, text: str) -> list[int]:
        """The ids of a text alone."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def beginning(self) -> int:
        """The id that stands before a text."""
        return int(self._model["vocab"][END_OF_TEXT])

    def document(self, text: str) -> list[int]:
        """The ids of a document."""
        return [*self.encode(text), self.beginning]

    def describe(self, writer: gguf.GGUFWriter, extra: Sequence[tuple[str, gguf.TokenType]] = ()) -> None:
        """Write the vocabulary into a GGUF file; `extra` names follow the pieces."""
        ids = self._model["vocab"]
        pieces = sorted(ids, key=ids.__getitem__)
        types = [gguf.TokenType.CONTROL if p == END_OF_TEXT else gguf.TokenType.NORMAL for p in pieces]
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(pieces + [name for name, _ in extra])
        writer.add_token_types(types + [kind for _, kind in extra])
        writer.add_token_merges([" ".join(merge) for merge in self._model["merges"]])
        writer.add_bos_token_id(self.beginning)
        writer.add_eos_token_id(self.beginning)
        writer.add_add_bos_token(True)


def train_byte_level(texts: Iterable[str], vocab: int, path: Path) -> None:
    """Train on these texts and write the JSON file."""
    alphabet = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(BPE())
    tokenizer.pre_tokenizer = alphabet(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=vocab, special_tokens=[END_OF_TEXT], initial_alphabet=alphabet.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))
