"""Controls for tokens: others like them, drawn at random.

A control has its candidate's category and, as far as there are such tokens, its script, whether it begins with a space,
and its length in bytes; what it could not match is left out of `matched_on`. Where it is known how often each token
occurred in training, the nearest in that (on a log scale) are taken first. No token is drawn twice, and no candidate is
ever a control.

Source of the script of a letter: the first word of its Unicode name (LATIN, CYRILLIC, CJK, HANGUL).
"""

import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model.tokens.vocabulary import Vocabulary

# what is given up first stands last
TRAITS = ("category", "script", "space", "bytes")


class Control(NamedTuple):
    """A token drawn for another, and the traits that they share."""

    token_id: int
    control_for: int
    matched_on: tuple[str, ...]


def script(piece: bytes) -> str:
    """The script of the first letter of a piece; `none` without a letter, `partial` where it is no whole UTF-8.

    >>> script(" Хронологија".encode()), script(b"42"), script(b"\\xd0")
    ('CYRILLIC', 'none', 'partial')
    """
    try:
        letters = [character for character in piece.decode("utf-8") if character.isalpha()]
    except UnicodeDecodeError:
        return "partial"
    return unicodedata.name(letters[0], "unknown").split()[0] if letters else "none"


def traits(vocabulary: Vocabulary, token_id: int) -> tuple[Hashable, ...]:
    """What a control should share with a token, in the order of TRAITS."""
    piece = vocabulary.piece(token_id)
    return vocabulary.category(token_id), script(piece), piece[:1] == b" ", len(piece)


def controls(
    vocabulary: Vocabulary, candidates: Sequence[int], per_candidate: int, seed: int,
    counts: NDArray[np.int64] | None = None,
) -> list[Control]:  # fmt: skip
    """At most `per_candidate` controls for each candidate, fewer where the vocabulary has no more of its category.

    counts: occurrences in training, `[vocab]`, where they are known.
    """
    rng = np.random.default_rng(seed)
    taken = set(candidates)
    pools = _pools(vocabulary)
    drawn = []
    for candidate in dict.fromkeys(candidates):
        wanted = per_candidate
        for depth in range(len(TRAITS), 0, -1):
            pool = [one for one in pools[traits(vocabulary, candidate)[:depth]] if one not in taken]
            found = _nearest(pool, candidate, wanted, rng, counts)
            matched = (*TRAITS[:depth], *(() if counts is None else ("count",)))
            drawn += [Control(one, candidate, matched) for one in found]
            taken.update(found)
            wanted -= len(found)
            if not wanted:
                break
    return drawn


def _pools(vocabulary: Vocabulary) -> Mapping[tuple[Hashable, ...], list[int]]:
    """Ids by their traits, and by every beginning of them."""
    pools: defaultdict[tuple[Hashable, ...], list[int]] = defaultdict(list)
    for token_id in range(vocabulary.size):
        own = traits(vocabulary, token_id)
        for depth in range(1, len(own) + 1):
            pools[own[:depth]].append(token_id)
    return pools


def _nearest(
    pool: Iterable[int], candidate: int, wanted: int, rng: np.random.Generator, counts: NDArray[np.int64] | None
) -> list[int]:
    """`wanted` of the pool at random, those of the nearest count first where counts are known."""
    order = rng.permutation(np.array(list(pool), dtype=np.int64))
    if counts is not None:
        logs = np.log1p(counts)
        order = order[np.argsort(np.abs(logs[order] - logs[candidate]), kind="stable")]
    return [int(one) for one in order[:wanted]]
