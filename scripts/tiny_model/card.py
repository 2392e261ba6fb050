"""The model card: a page of plain text filled with what was used and what was measured."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from sentencepiece import SentencePieceProcessor

from .corpus import Corpus
from .measurement import Figures, Path
from .network import DROPOUT, Shape
from .training import SECOND_STAGE, UNEMBEDDING_EPSILON, Recipe
from .vocabulary import LANGUAGES

PAGE = """\
# Model card: tiny.gguf

A LLaMA of {parameters:,} weights ({bytes:,} bytes, Q8_0, norms in F32) that writes simple English.
{never_seen} of the {vocab:,} tokens of its vocabulary never occurred in its training text. It
exists to show on any machine what negtemp does, and to be a model for which the truth about
under-trained tokens is known: `tiny.counts.json` says how often each token occurred.

## Data

- English, read by the model and by the tokenizer: {source}.
  Whole plain sentences only: no code, tables, signatures, identifiers or lists of changes.
  {training_documents} pages for training, {held_out_documents} held out.
- English of our own, read by both: {own_paragraphs} paragraphs about temperature and other things
  (`scripts/tiny_model/temperature.txt`), shown {own_repeats} times as often as the rest, and more often at the end.
- Names of months, days, places, languages and currencies in eight European languages
  ({languages}), read by the tokenizer alone. From Babel {babel},
  which carries the Unicode CLDR.

Training text: {tokens:,} tokens, taken once; the model read {read:,} in all. SHA-256 of the text:
`{fingerprint}`.
The held-out pages were chosen by a hash of their names before training, and no paragraph is in both
parts. The tokenizer was trained on both parts.

## Licence

The weights and our own text: MIT. Python's documentation: PSF licence, version 2. Babel: BSD
3-clause; the names in it: Unicode licence, version 3.

## Recipe

LLaMA as llama.cpp computes it: width {dim}, {layers} layers, {heads} heads, feed-forward {hidden},
context {context}, separate embedding and unembedding. SentencePiece BPE with byte fallback.
Paragraphs that hold a token seen at most {rare} times are left out, so that a token is well learned
or never seen. {steps:,} steps of {batch} x {length} tokens; AdamW, peak learning rate {learning_rate}
({embedding_boost:.0f} times that for the embedding), {warm_up} steps of warm-up, cosine, weight
decay {weight_decay} ({unembedding_decay} for the unembedding, with an epsilon of {epsilon}), dropout
{dropout}, products in bfloat16, seed {seed}. Then, from the weights
rounded to Q8_0, {second.steps} steps in which our own text stands {second.own_repeats} times beside the rest,
peak learning rate {second.learning_rate}, the unembedding held as it was, seed {second.seed}.
{seconds:.0f} s on {machine}, {threads} threads.

Python {python}, torch {torch}, sentencepiece {sentencepiece}, gguf {gguf}, babel {babel}.

To make it again: `pip install -e '.[train]'`, then
`python scripts/train_tiny_model.py --output negtemp/data`. Where Debian's package `python3.11-doc`
is installed its pages are read; elsewhere the interpreter's own help topics and docstrings, which
is less text and gives another model.

## Figures

Measured on the file itself. Percentiles are of the distance of a token's embedding from the mean
embedding, 0 the nearest, 100 the farthest.

| what | value |
| --- | --- |
| loss on held-out text, nats a token ({held_out_tokens:,} tokens) | {held_out_loss:.3f} |
| tokens never seen in training | {never_seen} of {vocab:,} ({never_seen_share:.1%}) |
| of them single bytes | {never_seen_bytes} |
| contexts of held-out text, at most {length} tokens long | {contexts:,} |
| least likely tokens there that were never seen | {never_seen_below_zero:.1%} |
| different tokens among the least likely there | {distinct_below_zero} |
| median percentile of the least likely token there | {percentile_below_zero:.0f} |
| median percentile of the most likely token there | {percentile_above_zero:.0f} |
| never-seen share on the model's own antigreedy paths ({paths} prompts) | {along_paths:.1%} |

## What it writes

The most likely token at every step, then the least likely, {demo_length} tokens each:

{samples}

## Limits

It knows nothing of the world, and of English little beyond the manual of a programming language.
It saw our own text many times and repeats it almost word for word: where the text above reads well,
that is memory, not skill. Where it does not know how to go on, it falls into loops, above zero and
below. The share of its vocabulary that it never saw is larger than in a real model, on purpose:
a token drawn at random is a never-seen one in {never_seen_share:.0%} of cases, and the share among
the least likely tokens is to be compared with that.
"""


@dataclass(frozen=True)
class Training:
    """What the card says beyond the figures."""

    parameters: int
    bytes: int
    tokens: int
    never_seen_bytes: int
    seconds: float
    threads: int
    machine: str


def fingerprint(corpus: Corpus) -> str:
    """SHA-256 of the training text."""
    paragraphs = [text for document in corpus.training for text in document.paragraphs]
    return sha256("\n".join((*paragraphs, *corpus.own)).encode()).hexdigest()


def sample(tokenizer: SentencePieceProcessor, path: Path) -> str:
    """One prompt with both continuations; the second piece by piece, for it is no text."""
    pieces = " ".join(f"`{tokenizer.id_to_piece(token)}`" for token in path.antigreedy)
    greedy = " ".join(tokenizer.decode(path.greedy).split())
    return f"- **{path.prompt}** {greedy}\n\n  {pieces}"


def card(
    corpus: Corpus,
    tokenizer: SentencePieceProcessor,
    shape: Shape,
    recipe: Recipe,
    training: Training,
    figures: Figures,
    paths: Sequence[Path],
) -> str:
    """The text of the card."""
    fields = vars(shape) | vars(recipe) | vars(training) | vars(figures)
    packages = {name: version(name) for name in ("torch", "sentencepiece", "gguf", "babel")}
    return PAGE.format(
        **(fields | packages),
        python=platform.python_version(),
        source=corpus.source,
        languages=", ".join(LANGUAGES),
        training_documents=len(corpus.training),
        held_out_documents=len(corpus.held_out),
        own_paragraphs=len(corpus.own),
        fingerprint=fingerprint(corpus),
        dropout=DROPOUT,
        epsilon=UNEMBEDDING_EPSILON,
        second=SECOND_STAGE,
        read=sum(stage.steps * stage.batch * stage.length for stage in (recipe, SECOND_STAGE)),
        never_seen_share=figures.never_seen / shape.vocab,
        along_paths=figures.never_seen_along_paths,
        paths=len(paths),
        demo_length=len(paths[0].greedy),
        samples="\n".join(sample(tokenizer, path) for path in paths),
    )
