"""An audit against a file that says how often each token occurred in training.

The file is JSON with `counts`, one whole number for each token id, as the bundled model's `tiny.counts.json`. "Never
seen" is a count of 0, "rare" one of 1 to 5, "often" 6 or more. It leaves out where such a file comes from.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import UsageError
from negtemp.printable import printable_path
from negtemp.records import AuditToken, finite
from negtemp.records.audit import AgainstCounts
from negtemp.text_input import read_text
from negtemp.theory.retrieval import recall_at_precision, retrieval
from negtemp.theory.statistics import auc

OFTEN = 6


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
