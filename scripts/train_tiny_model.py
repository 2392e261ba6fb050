"""Trains the model that ships with negtemp and writes it, its ground truth and its card.

    pip install -e '.[train]'
    python scripts/train_tiny_model.py --output negtemp/data

Writes `tiny.gguf`, `tiny.counts.json` (how often each token occurred in the training text) and
`tiny.card.md`. It needs no network and no accelerator. Debian's package `python3.11-doc` gives the
text that the shipped model learned from; without it the interpreter's own documentation is read.
The work is in the package beside this file.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor
from tiny_model.card import Training, card
from tiny_model.corpus import Corpus, read_corpus
from tiny_model.export import read_network, write_gguf
from tiny_model.measurement import PROMPTS, measure, path
from tiny_model.network import Network, Shape
from tiny_model.training import SECOND_STAGE, Recipe, Tokens, count_tokens, held_out_batch, train, without_rare_tokens
from tiny_model.vocabulary import foreign_lines, train_tokenizer

COUNTED = (
    "occurrences as input or target in the training text taken once, not times epochs or repeats; "
    "our own paragraphs once as the beginning of a document and once after a line feed"
)
OWN_TEXT = Path(__file__).parent / "tiny_model" / "temperature.txt"
DEBIAN_DOCUMENTATION = Path("/usr/share/doc/python3.11/html")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, required=True, help="folder to write the three files to")
    parser.add_argument(
        "--documentation",
        type=Path,
        default=DEBIAN_DOCUMENTATION if DEBIAN_DOCUMENTATION.is_dir() else None,
        help="folder of Python's documentation in HTML (default: Debian's, where it is installed)",
    )
    parser.add_argument("--documentation-name", help="what the card calls it, with its version")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="training steps (default: %(default)s)")
    parser.add_argument(
        "--first-stage", type=Path, metavar="FILE", help="take the first stage's weights from this file"
    )
    parser.add_argument("--first-stage-seconds", type=float, default=0.0, help="what it took, for the card")
    parser.add_argument("--seed", type=int, default=Recipe.seed, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--machine", default=platform.processor() or platform.machine(), help="named in the card")
    return parser.parse_args()


def make_tokenizer(corpus: Corpus) -> SentencePieceProcessor:
    """The vocabulary, from all English paragraphs and the foreign names."""
    pages = (*corpus.training, *corpus.held_out)
    english = [paragraph for page in pages for paragraph in page.paragraphs]
    return train_tokenizer([*english, *corpus.own, *foreign_lines()])


def counts_record(counts: Tokens) -> str:
    """The ground truth as one line of JSON."""
    record = {
        "model": "tiny.gguf",
        "counted": COUNTED,
        "training_tokens": int(counts.sum()),
        "counts": counts.tolist(),
    }
    return json.dumps(record, separators=(",", ":")) + "\n"


def main() -> None:
    """Reads, trains, writes, measures."""
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    shape, recipe = Shape(), Recipe(steps=arguments.steps, seed=arguments.seed)
    corpus = read_corpus(arguments.documentation, OWN_TEXT, arguments.documentation_name)
    tokenizer = make_tokenizer(corpus)
    corpus = without_rare_tokens(corpus, tokenizer, recipe.rare)
    counts = count_tokens(corpus, tokenizer, shape.vocab)
    arguments.output.mkdir(parents=True, exist_ok=True)
    file, first, seconds = arguments.output / "tiny.gguf", arguments.first_stage, arguments.first_stage_seconds
    if first is None:
        first = arguments.output / "first-stage.gguf"
        network = Network(shape)
        seconds = train(network, corpus, tokenizer, recipe)
        write_gguf(first, network, tokenizer)
    # from the file, rounded as it is, so that a run that goes on from here gives the same model
    torch.manual_seed(SECOND_STAGE.seed)
    network = read_network(first, shape)
    seconds += train(network, corpus, tokenizer, SECOND_STAGE)
    write_gguf(file, network, tokenizer)
    (arguments.output / "tiny.counts.json").write_text(counts_record(counts), encoding="utf-8")

    if first != arguments.first_stage:
        first.unlink()

    network = read_network(file, shape)
    paths = [path(network, tokenizer, prompt) for prompt in PROMPTS]
    figures = measure(network, counts, held_out_batch(corpus, tokenizer, recipe.length), paths)
    training = Training(
        parameters=sum(p.numel() for p in network.parameters()),
        bytes=file.stat().st_size,
        tokens=int(counts.sum()),
        never_seen_bytes=sum(counts[i] == 0 for i in range(shape.vocab) if tokenizer.is_byte(i)),
        seconds=seconds,
        threads=arguments.threads,
        machine=arguments.machine,
    )
    text = card(corpus, tokenizer, shape, recipe, training, figures, paths)
    (arguments.output / "tiny.card.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
