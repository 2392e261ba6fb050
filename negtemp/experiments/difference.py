"""Two audits of one vocabulary: which tokens became suspect, which are no longer, how alike the rankings are.

The tokens compared are those that an audit reports: confirmed or, where the model was not asked, suspect. Made for two
quantisations, fine-tunes or checkpoints. It leaves out models of different vocabularies: an id means nothing across
them.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from negtemp.errors import UsageError
from negtemp.printable import printable
from negtemp.records import AuditToken
from negtemp.records.audit import Change, Difference
from negtemp.theory.statistics import spearman

Tokens = Sequence[AuditToken]


def difference(before: Tokens, after: Tokens, names: tuple[str, str]) -> Iterator[Change | Difference]:
    """A Change for each token that only one audit reports, what appeared first, each by rank; then the Difference.

    Raises UsageError where the vocabularies differ.
    """
    old, new = _by_id(before), _by_id(after)
    _require_same(old, new, names)
    appeared = [t for t in after if t.is_reported and not old[t.token_id].is_reported]
    healed = [t for t in before if t.is_reported and not new[t.token_id].is_reported]
    yield from (Change(change="appeared", before=old[t.token_id], after=t) for t in appeared)
    yield from (Change(change="healed", before=t, after=new[t.token_id]) for t in healed)
    both = sum(t.is_reported and old[t.token_id].is_reported for t in after)
    ids = sorted(old)
    indicators = [name for name in before[0].indicators if name in after[0].indicators] if before and after else []
    yield Difference(
        names=names, tokens=len(ids),
        correlation=_correlation([old[i].score for i in ids], [new[i].score for i in ids]),
        by_indicator={
            name: _correlation([old[i].indicators[name] for i in ids], [new[i].indicators[name] for i in ids])
            for name in indicators
        },
        appeared=len(appeared), healed=len(healed), both=both,
    )  # fmt: skip


def _by_id(tokens: Tokens) -> Mapping[int, AuditToken]:
    return {token.token_id: token for token in tokens}


def _require_same(old: Mapping[int, AuditToken], new: Mapping[int, AuditToken], names: tuple[str, str]) -> None:
    first, second = names
    if len(old) != len(new):
        raise UsageError(
            f"{first} has {len(old)} tokens and {second} {len(new)}; only models of one vocabulary can be compared"
        )
    for token_id, token in old.items():
        other = new.get(token_id)
        if other is None or other.raw != token.raw:
            mine, theirs = printable(token.raw), printable(other.raw) if other else "missing"
            raise UsageError(
                f"token {token_id} is {mine!r} in {first} and {theirs!r} in {second}; "
                "only models of one vocabulary can be compared"
            )


def _correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's over the tokens that both know; None where there is none."""
    a, b = np.array(first), np.array(second)
    finite = np.isfinite(a) & np.isfinite(b)
    value = spearman(a[finite], b[finite]) if finite.any() else float("nan")
    return value if np.isfinite(value) else None
