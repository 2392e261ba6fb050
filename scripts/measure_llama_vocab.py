"""What comes out below zero of a model with LLaMA's vocabulary, as a table; the whole as JSON beside the model.

    python scripts/measure_llama_vocab.py build/llama-vocab/short.gguf

Reads `short.counts.json` beside the file and writes `short.result.json`.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from llama_vocab.measurement import (
    ABOVE,
    BELOW,
    asked,
    below_zero,
    emitted,
    groups,
    input_percentiles,
    plateaus,
    published,
    table,
)
from numpy.typing import NDArray

import negtemp
from negtemp import LoadedModel
from negtemp.model.tokens.vocabulary import Vocabulary

SEEDS, LENGTH = (1, 2, 3, 4), 40

Ids = NDArray[np.int64]


def main() -> None:
    """Measures one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="the GGUF file; its counts lie beside it")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    path: Path = arguments.model
    counts = np.array(json.loads(path.with_suffix(".counts.json").read_text(encoding="utf-8"))["counts"])
    with negtemp.load(path, threads=arguments.threads) as model:
        result = {"model": path.name, **measured(model, counts)}
    text = json.dumps(result, ensure_ascii=False, indent=1)
    path.with_suffix(".result.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def measured(model: LoadedModel, counts: Ids) -> dict[str, Any]:
    """Everything that is said of a model whose tokens occurred `counts` `[vocab]` times in training."""
    vocabulary = model.engine.model.vocabulary
    ordinary = np.array([vocabulary.category(i) == "normal" for i in range(vocabulary.size)])
    came, percentiles = emitted(model, SEEDS, LENGTH), input_percentiles(model)
    below, named = came[BELOW], published(model)
    rows = table(model, groups(counts, named, below, ordinary), below)
    said, counted = asked(model, np.array(named, np.int64), below), plateaus(model)
    p, tokens = below_zero(model)
    return {
        "temperatures": {
            str(t): {
                "tokens": came[t].total, "distinct": int((came[t].counts > 0).sum()),
                "never_seen": came[t].share(counts == 0), "ordinary": came[t].share(ordinary),
                "median_percentile": came[t].median(percentiles),
            }
            for t in (ABOVE, BELOW)
        },
        "below_zero": {
            "effective_tokens": tokens, "on_never_seen": float(p[counts == 0].sum()),
            "on_published": float(p[named].sum()),
            "on_published_if_even": float(p[counts == 0].mean() * len(named)),
        },
        "plateau": {"median": float(np.median(counted)), "range": [float(counted.min()), float(counted.max())]},
        "groups": [asdict(row) for row in rows],
        "published": {
            vocabulary.piece(i).decode(): {
                "id": i, "count": int(counts[i]), "emitted": int(below.counts[i]), "p_below_zero": float(p[i]),
                "percentile": round(float(percentiles[i]), 1), "p_when_asked": said[i],
            }
            for i in named
        },
        "most_emitted": most_emitted(vocabulary, below.counts, counts),
    }  # fmt: skip


def most_emitted(vocabulary: Vocabulary, emitted: Ids, counts: Ids, most: int = 30) -> list[list[str | int]]:
    """The tokens that came out most often, each with how often, and how often it occurred in training."""
    first = map(int, np.argsort(-emitted, kind="stable")[:most])
    return [[vocabulary.piece(i).decode(errors="replace"), int(emitted[i]), int(counts[i])] for i in first]


if __name__ == "__main__":
    main()
