"""Trains a small LLaMA with LLaMA's own 32,000 tokens on English prose, so that the article's very tokens can come out.

    pip install -e '.[train]'
    python scripts/train_llama_vocab.py short --decay 0.1
    python scripts/train_llama_vocab.py collapsed --decay 4
    python scripts/measure_llama_vocab.py build/llama-vocab/short.gguf

Both read the same rows in the same order from the same beginning; only the decay differs. In the first model never-seen
rows still remember where they began, in the second they have forgotten it, as after a long training. Each gives
`build/llama-vocab/NAME.gguf`, in F32 and untied, and `NAME.counts.json`, which says how often each token was a target.
The vocabulary is that of the pinned llama.cpp source, which `scripts/build_llama.sh` unpacks; the text comes from two
Debian packages (`llama_vocab.text`). Nothing of either is committed. The work is in the package beside this file.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from llama_cpp import Llama
from llama_vocab.export import write_model
from llama_vocab.rows import count, cut, rows, stream
from llama_vocab.text import PACKAGES, fetch, read_texts
from llama_vocab.training import SHAPE, Recipe, Stopwatch, e_folds, held_out_loss, rest, train
from tiny_model.network import Network
from torch import Tensor

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "llama-vocab"
VOCABULARY = ROOT / "vendor" / "llama.cpp" / "models" / "ggml-vocab-llama-spm.gguf"
COUNTED = "how often the model was trained to predict the token"
HELD_OUT_ROWS, REST_ROWS = 64, 2
REPORT_EVERY = 100


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", help="of the files to write")
    parser.add_argument("--steps", type=int, default=1000, help="batches of 1,024 tokens (default: %(default)s)")
    parser.add_argument("--decay", type=float, default=0.1, help="AdamW's weight decay (default: %(default)s)")
    parser.add_argument("--epsilon", type=float, default=Recipe.epsilon, help="AdamW's (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=Recipe.seed, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: build/llama-vocab")
    parser.add_argument("--vocabulary", type=Path, default=VOCABULARY, help="default: the pinned source's")
    return parser.parse_args()


def streams(folder: Path, vocabulary: Path) -> tuple[list[int], list[int]]:
    """Token ids of the text to train on and of the held-out text."""
    fetch(folder)
    tokenizer = Llama(str(vocabulary), vocab_only=True, verbose=False)

    def encode(text: str) -> list[int]:
        return list(tokenizer.tokenize(text.encode(), add_bos=False, special=False))

    training, held_out = read_texts(folder)
    return stream(training, encode), stream(held_out, encode)


def fit(network: Network, shown: Tensor, held_out: Tensor, never: Tensor, recipe: Recipe) -> list[dict[str, float]]:
    """Trains, printing where it is; what it printed."""
    watch, history, losses = Stopwatch(), [], []
    for step, loss in train(network, shown, recipe):
        losses.append(loss)
        if (step + 1) % REPORT_EVERY and step + 1 != recipe.steps:
            continue
        wall, processor = watch.read()
        history.append(
            {
                "step": step + 1,
                "loss": sum(losses) / len(losses),
                "held_out_loss": held_out_loss(network, held_out),
                "seconds": wall,
                "processor_seconds": processor,
                **asdict(rest(network, held_out[:REST_ROWS], never)),
            }
        )
        losses.clear()
        print("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()), flush=True)
    return history


def main() -> None:
    """Reads, trains, writes."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    recipe = Recipe(arguments.steps, arguments.decay, epsilon=arguments.epsilon, seed=arguments.seed)
    ids, held_out = streams(arguments.folder / "text", arguments.vocabulary)
    shown = rows(ids, recipe.steps * recipe.batch, recipe.seed)
    torch.manual_seed(recipe.seed)
    network, counts = Network(SHAPE), count(shown, SHAPE.vocab)
    never = torch.from_numpy(np.flatnonzero(counts == 0))
    print(f"{len(ids):,} tokens of text, {shown[:, 1:].size:,} to train on, {len(never):,} never seen", flush=True)
    history = fit(network, torch.from_numpy(shown), torch.from_numpy(cut(held_out)[:HELD_OUT_ROWS]), never, recipe)
    write_model(
        arguments.folder / f"{arguments.name}.gguf",
        network,
        arguments.vocabulary,
        f"LLaMA's vocabulary, {arguments.name}",
    )
    record = {
        "model": f"{arguments.name}.gguf",
        "counted": COUNTED,
        "text": list(PACKAGES.values()),
        "recipe": asdict(recipe),
        "e_folds": e_folds(recipe),
        "training_tokens": int(counts.sum()),
        "history": history,
        "counts": counts.tolist(),
    }
    (arguments.folder / f"{arguments.name}.counts.json").write_text(json.dumps(record) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
