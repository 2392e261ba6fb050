"""What is known of a vocabulary from elsewhere: published tokens, and how often each token occurred in training.

`data/published.json` holds facts only: ids, names, and where the article and the literature name them. A vocabulary is
compared only where id and name agree, the mark of a space before it aside, so that nothing is claimed of another model.

A file of counts is JSON with `counts`, one whole number for each token id, as the bundled model's `tiny.counts.json`;
an audit is scored against it. "Never seen" is a count of 0, "rare" one of 1 to 5, "often" 6 or more. It leaves out
where such a file comes from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import UsageError
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.printable import printable_path
from negtemp.records import AuditToken, PublishedToken, finite
from negtemp.records.audit import AgainstCounts
from negtemp.text_input import read_text
from negtemp.theory.statistics import auc, recall_at_precision, retrieval

_FILE = "published.json"
_MARKS = ("", "▁", "Ġ")


OFTEN = 6


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


def beside(model: Path) -> Path | None:
    """The file NAME.counts.json beside the model NAME.gguf, or None."""
    path = model.with_suffix(".counts.json")
    return path if path.is_file() else None


def read_counts(path: Path, vocab: int) -> NDArray[np.int64]:
    """The counts `[vocab]` of a file. Raises UsageError where it cannot be read or is for another vocabulary."""
    shown = printable_path(path)
    try:
        counts = json.loads(read_text(path, "the counts"))["counts"]
        found = np.array(counts, np.int64)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UsageError(f"{shown} is no truth file; it needs JSON with a list of whole numbers, `counts`") from None
    if found.shape != (vocab,):
        raise UsageError(f"{shown} has counts of {found.size} tokens, the model {vocab}; give the file of this model")
    return found


def against(tokens: Sequence[AuditToken], counts: NDArray[np.int64]) -> AgainstCounts:
    """Figures of an audit of the whole vocabulary against counts `[vocab]`."""
    order = np.array([token.token_id for token in tokens])
    score = np.array([token.score for token in tokens])
    candidate = np.array([token.candidate for token in tokens])
    seen = counts[order]
    never, rare, often = seen == 0, (seen > 0) & (seen < OFTEN), seen >= OFTEN
    exact, wide = retrieval(candidate, never), retrieval(candidate, never | rare)
    return AgainstCounts(
        never=int(never.sum()), rare=int(rare.sum()), candidates=int(candidate.sum()),
        precision=finite(exact.precision), recall=finite(exact.recall),
        precision_with_rare=finite(wide.precision), recall_with_rare=finite(wide.recall),
        recall_at_95_precision=finite(recall_at_precision(score, never)),
        auc_never=finite(auc(score[never], score[often])), auc_rare=finite(auc(score[rare], score[often])),
    )  # fmt: skip
