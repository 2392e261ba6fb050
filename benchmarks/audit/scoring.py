"""Scores every token of a member's files by every indicator, and keeps the scores beside them.

What is scored is the file itself, quantised, through the same functions that `negtemp audit` calls. The truth (how
often each token was seen) goes along, and the category of each token.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.family import Member
from audit.quantisation import quantise
from negtemp.experiments import indicators
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import token_categories
from negtemp.model.weights.tensors import Weights

THREADS = 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """One file of the family: its truth `[vocab]`, categories `[vocab]` and scores by indicator, `[vocab]` each."""

    member: Member
    quantisation: str
    counts: NDArray[np.int64]
    categories: NDArray[np.str_]
    scores: dict[str, Array]


def scored(member: Member) -> Iterator[Scored]:
    """Every quantisation of a trained member; a file is scored once, then read back."""
    counts = np.array(json.loads(member.truth.read_text(encoding="utf-8"))["counts"], np.int64)
    for quantisation in member.quantisations:
        kept = member.folder / f"{member.name}.{quantisation}.npz"
        if not kept.exists():
            _score(member, quantisation, kept)
        with np.load(kept) as file:
            found = dict(file)
        yield Scored(member, quantisation, counts, found.pop("categories"), found)


def _score(member: Member, quantisation: str, kept: Path) -> None:
    loaded, path = library.load(), member.file(quantisation)
    if not path.exists():
        quantise(loaded, member.file(), path, quantisation)
    categories, scores = measure(loaded, path)
    arrays: dict[str, Any] = {"categories": np.array(categories)} | scores
    np.savez_compressed(kept, **arrays)
    print(f"{path.name} scored", flush=True)


def measure(loaded: Library, path: Path) -> tuple[list[str], dict[str, Array]]:
    """Categories and indicators of one file."""
    with Model(loaded, path) as model, Weights(loaded, path) as weights:
        categories = token_categories(model.vocabulary)
        return list(categories), indicators.measure(Engine(model, THREADS), weights, categories)
