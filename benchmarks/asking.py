"""What share of the tokens that a model cannot say does each ranking find? Asked at random: recall is an estimate.

    negtemp audit -m MODEL.gguf --no-verify --all --json > audit.jsonl
    python benchmarks/asking.py MODEL.gguf audit.jsonl --sample 5000      asks, then prints and keeps the table
    python benchmarks/asking.py MODEL.gguf audit.jsonl --sample 0 --first 300   and the first 300 of every ranking

Tokens that a text can hold are asked for in a fixed random order, one after the other, by every prompt of
`experiments.elicitation_prompts` until one says it with p >= 0.01, which settles what is counted here. Many are asked
in one go, for what prompts begin with is then decoded once for all of them. With --screen a copy in BF16, which a
processor with AVX512-BF16 computes 2.8 times as fast, is asked first, and the file itself for what the copy says with
p < 0.05: the copy differs by 0.14 nats (root mean square; 0.6 at most of 256 tokens), from rounding activations alone,
so every p < 0.01 that is counted is the file's own. Each answer is appended to build/asking/NAME.jsonl, so that a run
stopped goes on where it was, and --sample may be raised later. The table goes to benchmarks/asking.json: for every
indicator of the audit and its score, recall of tokens with p < 0.01 and p < 0.001 among the 1, 2 and 5 % most suspect
of the tokens that a text can hold, with Wilson's 95 % intervals over the sample; and the share of such tokens at the
head of each ranking, as far as it was asked. Answers of the copy are marked as such. No text of the model is kept.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from audit.quantisation import quantise
from numpy.typing import NDArray

from negtemp.experiments.elicitation import Answer, Elicitor
from negtemp.model import library
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.theory.statistics import wilson

FOLDER = Path(__file__).resolve().parents[1] / "build" / "asking"
RESULTS = Path(__file__).with_name("asking.json")
SHARES, BELOW, HEADS = (0.01, 0.02, 0.05), (0.01, 0.001), (50, 100, 300)
_ORDER_SEED = 7
_BLOCK = 1024
_SURE = 0.05  # said so by the copy, a token is not asked of the file

Ranking = NDArray[np.float64]


def main() -> None:
    """Ask what is not asked yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("audit", type=Path, help="records of `negtemp audit --all`")
    parser.add_argument("--sample", type=int, default=5000, help="tokens asked for at random (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="and the first of every ranking (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--screen", action="store_true", help="ask a copy in BF16 first")
    arguments = parser.parse_args()
    ids, rankings = read_audit(arguments.audit)
    order = np.random.default_rng(_ORDER_SEED).permutation(ids)
    heads = [int(i) for ranking in rankings.values() for i in ids[np.argsort(-ranking)][: arguments.first]]
    wanted = [*heads, *map(int, order[: arguments.sample])]
    answers = asked(arguments.model, wanted, arguments.threads, arguments.screen)
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


def asked(model: Path, wanted: Sequence[int], threads: int | None, screen: bool = False) -> dict[int, float]:
    """The greatest probability of each token asked for so far, by id, these among them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / f"{model.stem}.jsonl"
    answers = dict(_kept(kept))
    left = [token_id for token_id in dict.fromkeys(wanted) if token_id not in answers]
    if not left:
        return answers
    files = [*([_copy(model)] if screen else []), model]
    with ExitStack() as stack, kept.open("a", encoding="utf-8") as file:
        loaded = [stack.enter_context(Model(library.load(), path)) for path in files]
        elicitors = [Elicitor(Engine(one, threads)) for one in loaded]
        for start in range(0, len(left), _BLOCK):
            for answer, by_copy in _answers(elicitors, left[start : start + _BLOCK]):
                answers[answer.token_id] = answer.probability
                told = [answer.token_id, answer.probabilities, *(["copy"] if by_copy else [])]
                file.write(json.dumps(told) + "\n")
            file.flush()
            print(f"{min(start + _BLOCK, len(left))} of {len(left)}", flush=True)
    return answers


def _copy(model: Path) -> Path:
    """The model in BF16, made where it is missing."""
    copy = FOLDER / f"{model.stem}.BF16.gguf"
    if not copy.exists():
        quantise(library.load(), model, copy, "BF16")
    return copy


def _answers(elicitors: Sequence[Elicitor], block: Sequence[int]) -> Iterator[tuple[Answer, bool]]:
    """An answer for each token, in any order, and whether it is the copy's, which is asked first if there are two."""
    left = list(block)
    for copy in elicitors[:-1]:
        said = [answer for answer in copy.ask(left, until=_SURE) if answer.probability >= _SURE]
        yield from ((answer, True) for answer in said)
        left = [token_id for token_id in left if token_id not in {answer.token_id for answer in said}]
    yield from ((answer, False) for answer in elicitors[-1].ask(left, until=max(BELOW)))


def _kept(path: Path) -> Iterator[tuple[int, float]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            token_id, probabilities, *_ = json.loads(line)
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
