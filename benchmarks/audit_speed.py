"""What an audit of a large model costs: seconds, memory, batched questions beside one at a time, the rate of a scan.

    python benchmarks/audit_speed.py --model FILE [--threads N] [--share 0.02] [--alone N]

The model may be of random weights (`random_llama.py`): what is decoded is the same. Four figures, one process:

- the survey: categories, every indicator from the weights, the contexts that the model writes;
- asking for a share of the vocabulary, batched as the audit does it: once as if no token were said, so that each is
  asked for with every prompt, and once as if 95 in 100 were said at the first (of Llama-2-7B's 551 candidates, Land
  & Bartolo found 532 said);
- every shape for the first N of these tokens, one prompt at a time and each decoded whole, as the reference
  implementation does, in tokens a second of both;
- scanning 64 MiB for those tokens: lines of random words, which hold few of them, and lines in which every fourth word
  is one of their strings.

Memory is the process's greatest resident set less the size of the model file, which is mapped. Nothing is drawn from
the answers. It leaves out transformers (`audit_cost.py`).
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from negtemp.experiments.elicitation_prompts import available
from negtemp.experiments.indicators import survey
from negtemp.experiments.scan import Scanner
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import TokenCategory, token_categories
from negtemp.model.tokens.splicing import Template
from negtemp.model.weights.tensors import Weights
from negtemp.records import AuditToken
from negtemp.theory import ranking

_TEXT_BYTES = 1 << 26
_UNSAID = 0.05


def main() -> None:
    """Measure and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--share", type=float, default=0.02, help="of the vocabulary to ask for (default: %(default)s)")
    parser.add_argument("--alone", type=int, default=16, help="tokens to ask for one at a time (default: %(default)s)")
    arguments = parser.parse_args()
    loaded = library.load()
    with Model(loaded, arguments.model) as model, Weights(loaded, arguments.model) as weights:
        measure(Engine(model, arguments.threads), weights, arguments.share, arguments.alone)


def measure(engine: Engine, weights: Weights, share: float, alone: int) -> None:
    """All four figures of one model."""
    model, shapes = engine.model, list(available(engine.model)[0].values())
    found: list[tuple[list[TokenCategory], list[int]]] = []
    surveying = timed(lambda: found.append(suspects(engine, weights)))
    ids = found[0][1][: max(1, round(share * model.vocabulary.size))]
    worst = timed(lambda: ask(engine, shapes, ids))
    first = timed(lambda: ask(engine, shapes[:1], ids))
    usual = first + timed(lambda: ask(engine, shapes[1:], ids[: max(1, round(_UNSAID * len(ids)))]))
    rate = alone / timed(lambda: ask_alone(engine, shapes, ids[:alone]))
    print(f"survey                 {surveying:8.1f} s")
    print(f"one by one             {rate:8.2f} tokens/s ({alone} tokens)")
    for name, seconds in (("none is said", worst), ("most are said", usual)):
        told = (
            f"{len(ids) / seconds:.2f} tokens/s ({len(ids)} tokens), {len(ids) / seconds / rate:.1f} times one by one"
        )
        print(f"batched, {name:<13} {seconds:8.1f} s, {told}; with the survey {surveying + seconds:.1f} s")
    print(f"memory beyond the file {(peak_bytes() - model.path.stat().st_size) / 1e6:8.0f} MB")
    for name, share_of_words in (("few hits", 0.0), ("many hits", 0.25)):
        print(f"scan, {name:<16} {scan_rate(engine, ids, share_of_words):8.1f} MB/s")


def suspects(engine: Engine, weights: Weights) -> tuple[list[TokenCategory], list[int]]:
    """The categories, and ids from the most suspect on."""
    categories = token_categories(engine.model.vocabulary)
    return categories, ranking.order(survey(engine, weights, categories).score).tolist()


def ask(engine: Engine, shapes: Sequence[Template], ids: Sequence[int]) -> None:
    """Every shape for every token, many prompts in a decode."""
    for shape in shapes:
        for _ in score(engine.model, map(shape.fill, ids), threads=engine.threads):
            pass


def ask_alone(engine: Engine, shapes: Sequence[Template], ids: Sequence[int]) -> None:
    """Every shape for every token, each prompt decoded whole and by itself, in one context."""
    longest = max(len(shape.fill(0)) for shape in shapes)
    with Context(engine.model, 1, longest, engine.threads) as context:
        for shape in shapes:
            for token_id in ids:
                context.prompt(shape.fill(token_id), 0)
                context.drop(0)


def scan_rate(engine: Engine, ids: Sequence[int], share: float) -> float:
    """MB/s of looking for the tokens in a text of random words, a share of which are these tokens' strings."""
    pieces = [engine.model.vocabulary.piece(token_id) for token_id in ids]
    tokens = [
        AuditToken(token_id=token_id, raw=piece, category="normal", rank=0, score=1.0, indicators={})
        for token_id, piece in zip(ids, pieces, strict=True)
        if len(piece) > 3
    ]
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.writelines(random_text([token.raw.strip() for token in tokens], share))
        file.flush()
        path = Path(file.name)
        return path.stat().st_size / 1e6 / timed(lambda: list(Scanner(tokens, engine.model.vocabulary).scan(path)))


def random_text(strings: Sequence[bytes], share: float) -> Iterator[bytes]:
    """Lines of random words, of which a share are of these strings."""
    rng = np.random.default_rng(0)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 10), dtype=np.uint8)) for _ in range(20_000)]
    written = 0
    while written < _TEXT_BYTES:
        chosen = zip(
            rng.random(40) < share, rng.integers(0, len(strings), 40), rng.integers(0, len(words), 40), strict=True
        )
        line = b" ".join(strings[i] if is_string else words[j] for is_string, i, j in chosen) + b"\n"
        written += len(line)
        yield line


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_bytes() -> int:
    """Greatest resident set of this process; the kernel counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
