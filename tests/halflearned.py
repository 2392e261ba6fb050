"""A model whose truth is known by construction: it says what it was last told, save for tokens it "never learned".

With layers that add nothing, the logits after a token are U h of that token alone (see `models`). Learned tokens have
`U_i = s d_i`, their own direction, beside a direction `g` that all embeddings share; after token t the logit of t leads
by far. Tokens never learned have a small embedding and `U_i = -b g`, as the softmax leaves them: low in every context.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from models import write_llama
from vocabularies import BYTE, CONTROL, UNKNOWN, spm_vocabulary

WIDTH = 96
LEARNED = [bytes([a, b]) for a in b"abcdefghij" for b in b"abcdefghij"]
LETTERS = [bytes([a]) for a in b"abcdefghij"]
REACHABLE = [b"zq", b"zqx", "жж".encode()]
NEVER_LEARNED = [*REACHABLE, b" =cmd()", b"a|b`c", b"</td>"]
# letters that merge up to the first three, so that a text reaches these
STEPS = [b"z", b"q", b"x", "ж".encode(), "▁".encode()]


def write_half_learned(
    path: Path, *, says: bool = True, seed: int = 0, context: int = 256, broken: int | None = None
) -> tuple[Path, set[int]]:
    """The file, and the ids that the model never learned (its byte and control tokens among them).

    broken: a learned token whose row of the unembedding is not a number.
    says: False makes the embedding of learned tokens unrelated to the unembedding, so that nothing can be repeated.
    """
    pieces = LETTERS + LEARNED + STEPS + [piece.replace(b" ", "▁".encode()) for piece in NEVER_LEARNED]
    vocabulary = spm_vocabulary(pieces)
    learned = LETTERS + LEARNED + STEPS
    unknown = {i for i, (piece, kind) in enumerate(vocabulary) if kind in (BYTE, CONTROL, UNKNOWN)}
    unknown |= set(range(3 + 256 + len(learned), len(vocabulary)))
    embedding, unembedding = _matrices(len(vocabulary), unknown, says, seed)
    if broken is not None:
        unembedding[broken] = np.nan
    return write_llama(
        path, vocabulary, mixing=0, context=context, embedding=embedding, unembedding=unembedding
    ), unknown


def _matrices(vocab: int, unknown: Collection[int], says: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(vocab, WIDTH))
    own[:, 0] = 0.0  # the shared direction
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    shared = np.eye(WIDTH)[0]
    embedding = (own if says else own[rng.permutation(vocab)]) + shared
    unembedding = 3.0 * own
    for token_id in unknown:
        embedding[token_id] = 0.05 * own[token_id]
        unembedding[token_id] = -shared + 0.01 * own[token_id]
    return embedding.astype(np.float32), unembedding.astype(np.float32)
