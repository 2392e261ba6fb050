"""The family's second branch: models trained until the rows of never-seen tokens forget where they began and coincide.

A row that no target touches shrinks by exp(-sum of learning rate x decay), its e-folds. The first branch has 0.5 to
1.7 of them, a real training 5 to 30, and so has this branch: the learning rate of embedding and unembedding is what
gives the e-folds asked for at the decay asked for. Beside head, tokenizer and vocabulary it varies what should set the
level at which such rows come to rest: the optimiser's epsilon, the decay, the optimiser. Every vocabulary ends in rows
that no text reaches, named `<unused0>` and on, then `[PAD2016]` and on. A tuned member goes on from its parent with
other text and a tenth of the rate. How they are trained is in `collapsing`, what is measured in `level`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from audit import SCRIPTS
from audit.family import Kind, Member

FOLDER = SCRIPTS.parent / "build" / "audit-collapsed"

UNUSED, PADDING = 64, 32
NARROW = 64
EFOLDS = 6.0
TOKENS, SHORT = 280_000, 100_000

Method = Literal["adamw", "sgd", "adafactor"]


@dataclass(frozen=True)
class Collapsed(Member):
    """One model of the second branch; `epsilon` is AdamW's alone, `tokens` is how many it reads."""

    width: int = NARROW
    epsilon: float = 1e-8
    method: Method = "adamw"
    efolds: float = EFOLDS
    tokens: int = TOKENS
    tuned: bool = False

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return FOLDER

    @property
    def configuration(self) -> str:
        """What the member is, but for its seed."""
        head = "tied" if self.tied else "untied"
        how = f"eps{self.epsilon:.0e}".replace("e-0", "e-") if self.method == "adamw" else self.method
        long = f"-x{self.efolds:g}" if self.efolds != EFOLDS else ""
        short = f"-t{self.tokens // 1000}k" if self.tokens != TOKENS else ""
        wide = f"-w{self.width}" if self.width != NARROW else ""
        tuned = "-tuned" if self.tuned else ""
        return f"{self.kind}-{self.vocab // 1024}k-{head}-{how}-decay{self.decay:g}{long}{short}{wide}{tuned}"

    @property
    def parent(self) -> "Collapsed":
        """The member that a tuned one goes on from."""
        return replace(self, tuned=False)

    @property
    def quantisations(self) -> tuple[str, ...]:
        """The types to measure it at."""
        return ("F16", "Q8_0", "Q4_0")


def members(seeds: int) -> Iterator[Collapsed]:
    """All members, those that differ most first, so that a run cut short is of use."""
    yield from dict.fromkeys(_in_order(seeds))


def _in_order(seeds: int) -> Iterator[Collapsed]:
    yield from _heads(0.5, 1e-8)
    yield from _heads(0.5, 1e-4)
    yield from _heads(2.0, 1e-8)
    yield from _others()
    for seed in range(1, seeds + 1):
        for decay, epsilon in product((0.5, 2.0), (1e-6, 1e-10, 1e-5, 1e-4, 1e-8)):
            yield from (replace(member, seed=seed) for member in _heads(decay, epsilon))
    yield from _wider(seeds)
    yield from _short()


def _short() -> Iterator[Collapsed]:
    """Models that read a third as much: both regimes in a quarter of the time."""
    for epsilon in (1e-3, 1e-4, 1e-5, 1e-8):
        yield Collapsed(True, 0.5, "spm", 2048, epsilon=epsilon, tokens=SHORT)
    for epsilon in (1e-4, 1e-8):
        yield Collapsed(True, 2.0, "spm", 2048, epsilon=epsilon, tokens=SHORT)
        yield Collapsed(False, 0.5, "spm", 2048, epsilon=epsilon, tokens=SHORT)
        yield Collapsed(True, 0.5, "spm", 2048, epsilon=epsilon, tokens=SHORT, tuned=True)
        yield Collapsed(True, 0.5, "spm", 2048, seed=2, epsilon=epsilon, tokens=SHORT)


def _heads(decay: float, epsilon: float, kind: Kind = "spm", vocab: int = 2048) -> Iterator[Collapsed]:
    for tied in (True, False):
        yield Collapsed(tied, decay, kind, vocab, epsilon=epsilon)


def _others() -> Iterator[Collapsed]:
    """Other tokenizers, other methods, fine-tuned, longer, larger."""
    yield from _heads(0.5, 1e-8, "bpe")
    for member in (*_heads(0.5, 1e-8), *_heads(0.5, 1e-4)):
        yield replace(member, tuned=True)
    for member in _heads(1e-3, 1e-8):
        yield replace(member, method="sgd")
    for member in _heads(0.5, 1e-8):
        yield replace(member, method="adafactor")
    yield from _heads(0.5, 1e-4, "bpe")
    yield Collapsed(False, 0.5, "spm", 8192)
    yield Collapsed(True, 0.5, "bpe", 8192, epsilon=1e-4)
    for member in _heads(2.0, 1e-8):
        yield replace(member, efolds=20.0)


def _wider(seeds: int) -> Iterator[Collapsed]:
    for seed, width, epsilon in product(range(1, seeds + 1), (32, 128), (1e-8, 1e-4)):
        yield Collapsed(True, 0.5, "spm", 2048, width, seed, epsilon)
