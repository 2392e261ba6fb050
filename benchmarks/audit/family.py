"""Which models the family has: every combination of what is thought to matter, and where their files lie.

Two heads (tied: the unembedding is the embedding; untied) x weight decay or none x two tokenizers (SentencePiece BPE
with byte fallback; byte-level BPE as GPT-2's) x two vocabularies, each trained with several seeds, which draw both the
weights and the order and choice of the text. A few are 256 wide, so that K-quants (blocks of 256) exist for them too.
It leaves out everything about how they are trained (`training`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from audit import SCRIPTS

FOLDER = SCRIPTS.parent / "build" / "audit-family"

Kind = Literal["spm", "bpe"]

WIDTH, WIDE = 128, 256
# an unread row shrinks by exp(-sum of learning rate x decay): exp(-1.7) here, exp(-4) or less in models of some size
DECAY = 2.0


@dataclass(frozen=True)
class Member:
    """One model of the family."""

    tied: bool
    decay: float
    kind: Kind
    vocab: int
    width: int = WIDTH
    seed: int = 1

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return FOLDER

    @property
    def configuration(self) -> str:
        """What the member is, but for its seed."""
        head = "tied" if self.tied else "untied"
        decay = "decay" if self.decay else "plain"
        wide = f"-w{self.width}" if self.width != WIDTH else ""
        return f"{head}-{decay}-{self.kind}{self.vocab // 1024}k{wide}"

    @property
    def name(self) -> str:
        """Names its files."""
        return f"{self.configuration}-s{self.seed}"

    def file(self, quantisation: str = "F32") -> Path:
        """The model file at a quantisation."""
        return self.folder / f"{self.name}.{quantisation}.gguf"

    @property
    def truth(self) -> Path:
        """The file of token counts."""
        return self.folder / f"{self.name}.truth.json"

    @property
    def quantisations(self) -> tuple[str, ...]:
        """The types to measure it at: K-quants need rows of 256."""
        return ("F16", "Q8_0", "Q4_0") + (("Q6_K", "Q4_K") if self.width % 256 == 0 else ())


def members(seeds: int) -> Iterator[Member]:
    """All members, the first seed of each before the second of any, so that a run cut short is balanced."""
    vocabularies: tuple[tuple[Kind, int], ...] = (("spm", 2048), ("bpe", 8192), ("bpe", 2048), ("spm", 8192))
    for seed in range(1, seeds + 1):
        yield Member(False, DECAY, "spm", 2048, WIDE, seed)
        yield Member(True, DECAY, "bpe", 2048, WIDE, seed)
        for (kind, vocab), tied, decay in product(vocabularies, (False, True), (DECAY, 0.0)):
            yield Member(tied, decay, kind, vocab, seed=seed)
