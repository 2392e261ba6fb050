"""The text as token ids, tokenized once for each vocabulary and kept, for reading the text takes half a minute.

A row begins with the token that stands before a text (BOS), then holds `length` tokens of the stream, each of them a
target. So no model has an untrained BOS, and the count of a token is the number of times it was a target, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.family import Kind
from audit.text import Text, read_text
from audit.vocabularies import Tokenizer, make

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Streams:
    """A tokenizer and its documents as ids: those of training and those of fine-tuning."""

    tokenizer: Tokenizer
    training: tuple[Ids, ...]
    tuning: tuple[Ids, ...]


_text = cache(read_text)


@cache
def streams(kind: Kind, vocab: int, folder: Path) -> Streams:
    """The documents under a tokenizer of `vocab` tokens, from the folder if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{kind}{vocab}.streams.npz"
    if not kept.exists():
        text = _text()
        tokenizer = make(kind, vocab, text, folder)
        parts = {name: _joined(tokenizer, documents) for name, documents in _parts(text).items()}
        arrays: dict[str, Any] = {
            f"{name}_{part}": array for name, both in parts.items() for part, array in both.items()
        }
        np.savez_compressed(kept, **arrays)
    with np.load(kept) as file:
        split = {
            name: tuple(np.split(file[f"{name}_ids"], file[f"{name}_ends"][:-1])) for name in ("training", "tuning")
        }
    return Streams(make(kind, vocab, Text((), (), ""), folder), **split)


def _parts(text: Text) -> dict[str, tuple[str, ...]]:
    return {"training": text.for_models, "tuning": text.for_tuning}


def _joined(tokenizer: Tokenizer, documents: Sequence[str]) -> dict[str, Ids]:
    """All ids in one array, and where each document ends."""
    ids = [tokenizer.document(document) for document in documents]
    ends = np.cumsum([len(one) for one in ids])
    return {"ids": np.array([i for one in ids for i in one], np.int64), "ends": ends.astype(np.int64)}


def rows(documents: Sequence[Ids], beginning: int, length: int, most: int, seed: int) -> Ids:
    """Shuffled documents in one stream of at most `most` tokens, cut into shuffled rows: [rows, length + 1].

    >>> rows([np.array([7, 8, 9, 5])], beginning=1, length=2, most=4, seed=1).tolist()
    [[1, 7, 8], [1, 9, 5]]
    """
    random = Random(seed)
    order = list(documents)
    random.shuffle(order)
    stream = np.concatenate(order)[:most]
    chunks = stream[: len(stream) // length * length].reshape(-1, length)
    chunks = chunks[random.sample(range(len(chunks)), len(chunks))]
    return np.concatenate([np.full((len(chunks), 1), beginning), chunks], axis=1)
