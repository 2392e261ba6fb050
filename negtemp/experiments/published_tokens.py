"""Tokens that the article and the literature name, found in a vocabulary that holds them under the same ids.

`data/published.json` holds facts only: ids, names, and where they were published. A vocabulary is compared only where
id and name agree, the mark of a space before it aside, so that nothing is claimed of another model. It leaves out any
judgement.
"""

import json
from collections.abc import Iterator, Mapping
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import PublishedToken

_FILE = "published.json"
_MARKS = ("", "▁", "Ġ")


def published(
    vocabulary: Vocabulary, percentiles: NDArray[np.float64] | None, emitted: Mapping[int, int]
) -> Iterator[PublishedToken]:
    """The published tokens of this vocabulary. percentiles: of the distance to the input centroid, `[vocab]`."""
    for token_id, name, source in _facts():
        if token_id < vocabulary.size and vocabulary.name(token_id) in [(mark + name).encode() for mark in _MARKS]:
            percentile = None if percentiles is None else float(percentiles[token_id])
            yield PublishedToken(
                token_id=token_id, raw=vocabulary.piece(token_id), source=source, percentile=percentile,
                emitted=emitted.get(token_id, 0),
            )  # fmt: skip


def _facts() -> Iterator[tuple[int, str, str]]:
    file = resources.files("negtemp") / "data" / _FILE
    for group in json.loads(file.read_text(encoding="utf-8"))["groups"]:
        for token_id, name in group["tokens"]:
            yield token_id, name, group["source"]
