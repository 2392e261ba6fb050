"""What share of the tokens that a model cannot say does each ranking find? Asked at random: recall is an estimate.

    negtemp audit -m MODEL.gguf --no-verify --all --json > audit.jsonl
    python benchmarks/asking.py MODEL.gguf audit.jsonl --sample 5000      asks, then prints and keeps the table
    python benchmarks/asking.py MODEL.gguf audit.jsonl --sample 0 --first 300   and the first 300 of every ranking

Tokens that a text can hold are asked for in a fixed random order, as an audit asks (`experiments.elicitation`). Each
answer is appended to build/asking/NAME.jsonl, so that a run stopped goes on where it was, and --sample may be raised
later. The table goes to benchmarks/asking.json: for every indicator of the audit and its score, recall of tokens with
p < 0.01 and p < 0.001 among the 1, 2 and 5 % most suspect of the tokens that a text can hold, with Wilson's 95 %
intervals over the sample; and the share of such tokens at the head of each ranking, as far as it was asked. No text of
the model is kept.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.experiments.elicitation import Elicitor
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.theory.statistics import wilson

FOLDER = Path(__file__).resolve().parents[1] / "build" / "asking"
RESULTS = Path(__file__).with_name("asking.json")
SHARES, BELOW, HEADS = (0.01, 0.02, 0.05), (0.01, 0.001), (50, 100, 300)
_ORDER_SEED = 7
_BLOCK = 64

Ranking = NDArray[np.float64]


def main() -> None:
    """Ask what is not asked yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("audit", type=Path, help="records of `negtemp audit --all`")
    parser.add_argument("--sample", type=int, default=5000, help="tokens asked for at random (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="and the first of every ranking (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    ids, rankings = read_audit(arguments.audit)
    order = np.random.default_rng(_ORDER_SEED).permutation(ids)
    heads = [int(i) for ranking in rankings.values() for i in ids[np.argsort(-ranking)][: arguments.first]]
    answers = asked(arguments.model, [*heads, *map(int, order[: arguments.sample])], arguments.threads)
    write(arguments.model.stem, table(ids, rankings, order, answers))


def read_audit(path: Path) -> tuple[NDArray[np.int64], dict[str, Ranking]]:
    """Ids of the tokens that a text can hold, ascending, and every ranking of these, higher = more suspect."""
    with path.open(encoding="utf-8") as file:
        lines = [line for line in map(json.loads, file) if line["kind"] == "token" and line["category"] == "normal"]
    lines.sort(key=lambda line: line["token_id"])
    names = ("score", *lines[0]["indicators"])
    values = {name: [_value(line, name) for line in lines] for name in names}
    return np.array([line["token_id"] for line in lines]), {name: np.array(v) for name, v in values.items()}


def _value(line: dict[str, Any], name: str) -> float:
    found = line["score"] if name == "score" else line["indicators"][name]
    return -np.inf if found is None else float(found)


def asked(model: Path, wanted: Sequence[int], threads: int | None) -> dict[int, float]:
    """The greatest probability of each token asked for so far, by id, these among them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / f"{model.stem}.jsonl"
    answers = dict(_kept(kept))
    left = [token_id for token_id in dict.fromkeys(wanted) if token_id not in answers]
    if left:
        with Model(library.load(), model) as loaded, kept.open("a", encoding="utf-8") as file:
            elicitor = Elicitor(Engine(loaded, threads))
            for start in range(0, len(left), _BLOCK):
                for answer in elicitor.ask(left[start : start + _BLOCK]):
                    answers[answer.token_id] = answer.probability
                    file.write(json.dumps([answer.token_id, answer.probabilities]) + "\n")
                file.flush()
                print(f"{min(start + _BLOCK, len(left))} of {len(left)}", flush=True)
    return answers


def _kept(path: Path) -> Iterator[tuple[int, float]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            token_id, probabilities = json.loads(line)
            yield token_id, max(probabilities.values())


def table(
    ids: NDArray[np.int64], rankings: dict[str, Ranking], order: NDArray[np.int64], answers: dict[int, float]
) -> dict[str, Any]:
    """Recall of every ranking over the random sample, and how much of its head the model cannot say."""
    sample = [int(i) for i in order[: next((n for n, i in enumerate(order) if int(i) not in answers), len(order))]]
    p = np.array([answers[i] for i in sample])
    place = {int(i): n for n, i in enumerate(ids)}
    found: dict[str, Any] = {
        "tokens": len(ids), "sample": len(sample), "asked": len(answers),
        **{f"p<{below}": int((p < below).sum()) for below in BELOW}, "rankings": {},
    }  # fmt: skip
    for name, ranking in rankings.items():
        ranks = np.empty(len(ids), np.int64)
        ranks[np.argsort(-ranking, kind="stable")] = np.arange(len(ids))
        mine = np.array([ranks[place[i]] for i in sample])
        recall = {
            f"p<{below} in {share:.0%}": _recall(mine[p < below] < share * len(ids))
            for below in BELOW for share in SHARES
        }  # fmt: skip
        found["rankings"][name] = {"recall": recall, "head": _head(ids[np.argsort(ranks)], answers)}
    return found


def _recall(hits: NDArray[np.bool_]) -> list[float]:
    """Found, of, and the interval of the share."""
    return [int(hits.sum()), len(hits), *(round(end, 3) for end in wilson(int(hits.sum()), len(hits)))]


def _head(ranked: NDArray[np.int64], answers: dict[int, float]) -> dict[str, list[int]]:
    """For each length: how many were asked for, how many have p < 0.01, how many p < 0.001."""
    heads = {length: [answers[int(i)] for i in ranked[:length] if int(i) in answers] for length in HEADS}
    return {str(length): [len(p), *(sum(x < below for x in p) for below in BELOW)] for length, p in heads.items()}


def write(name: str, found: dict[str, Any]) -> None:
    """Print the table and keep it beside those of other models."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**known, name: found}, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: {found['sample']} of {found['tokens']} asked at random; p<0.01 {found['p<0.01']}")
    for ranking, figures in found["rankings"].items():
        print(f"  {ranking:22}", {key: value[:2] for key, value in figures["recall"].items()}, figures["head"])


if __name__ == "__main__":
    main()
