"""What the audit's indicators cost, beside transformers and the same formulas on the same weights.

    pip install -e '.[cost]'
    python benchmarks/audit_cost.py [--model FILE] [--threads N] [--repeats N]

Each side runs in a process of its own and in alternation, from its first import to its last score: negtemp reads the
GGUF file as it is; transformers reads the same weights as float32 in its own format, into which they are turned
beforehand (build/audit-cost, not timed; for a large model that takes four bytes a weight on the disk). Both read
norms, distances and cosines from the weights, let the model write 32 texts of 64 tokens at T = 1, and sum the thermal
indicators over them. Seconds are the best of the repeats; memory is the process's greatest resident set, the mapped
file included. The rank correlation of each indicator between the sides says whether they computed the same; thermal
ones differ by the draw of the texts, the cosines by their unused tokens, for which transformers' side takes the lowest
mean logits. It leaves out verification.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negtemp.model import model_file

SIDES = ("negtemp", "transformers")
FOLDER = Path(__file__).parents[1] / "build" / "audit-cost"
SEQUENCES, LENGTH = 32, 64

Scores = dict[str, NDArray[np.float64]]


def main() -> None:
    """Run both sides and print a line for each, or, in a child, one side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--model", type=Path, default=model_file.bundled(), help="a GGUF file (default: the bundled model)"
    )
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(one_side(arguments.side, arguments.model.absolute(), arguments.threads)))
    else:
        compare(arguments.model, arguments.threads, arguments.repeats)


def compare(model: Path, threads: int, repeats: int) -> None:
    """Alternate the sides, then print seconds, memory and agreement."""
    convert(model)
    command = [sys.executable, __file__, "--model", str(model), "--threads", str(threads), "--side"]
    runs: dict[str, list[dict[str, object]]] = {side: [] for side in SIDES}
    for _ in range(repeats):
        for side in SIDES:
            done = subprocess.run([*command, side], check=True, stdout=subprocess.PIPE)
            runs[side].append(json.loads(done.stdout))
    for side in SIDES:
        seconds = min(run["seconds"] for run in runs[side])  # type: ignore[type-var]
        megabytes = max(run["megabytes"] for run in runs[side])  # type: ignore[type-var]
        print(f"{side:14} {seconds:8.2f} s {megabytes:8.0f} MB")
    for name, agreement in agreements(*(runs[side][0]["scores"] for side in SIDES)).items():  # type: ignore[arg-type]
        print(f"{name:22} rank correlation {agreement:.4f}")


def converted(model: Path) -> Path:
    """Where the model lies in transformers' format."""
    return FOLDER / model.stem


def convert(model: Path) -> None:
    """Write the model in transformers' format, once."""
    if not (converted(model) / "config.json").exists():
        from transformers import AutoModelForCausalLM

        model = model.absolute()
        network = AutoModelForCausalLM.from_pretrained(model.parent, gguf_file=model.name)
        network.hf_quantizer = None  # else it refuses to write what it has just dequantised
        network.save_pretrained(converted(model))


def agreements(first: dict[str, list[float]], second: dict[str, list[float]]) -> dict[str, float]:
    """Rank correlation of every indicator that both sides have."""
    from negtemp.theory.statistics import spearman

    return {name: spearman(first[name], second[name]) for name in first if name in second}


def one_side(side: str, model: Path, threads: int) -> dict[str, object]:
    """Seconds, megabytes and scores of one side, in this process."""
    start = time.perf_counter()
    scores = (with_negtemp if side == "negtemp" else with_transformers)(model, threads)
    seconds = time.perf_counter() - start
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kept = {name: np.nan_to_num(values).round(12).tolist() for name, values in scores.items()}
    return {"seconds": seconds, "megabytes": megabytes, "scores": kept}


def with_negtemp(path: Path, threads: int) -> Scores:
    """Our own."""
    from negtemp.experiments import indicators
    from negtemp.model import library
    from negtemp.model.engine.engine import Engine
    from negtemp.model.llama.model import Model
    from negtemp.model.tokens.categories import token_categories
    from negtemp.model.weights.tensors import Weights

    loaded = library.load()
    with Model(loaded, path) as model, Weights(loaded, path) as weights:
        return indicators.measure(Engine(model, threads), weights, token_categories(model.vocabulary))


def with_transformers(path: Path, threads: int) -> Scores:
    """transformers' network in float32, and the formulas of `theory.indicators` and `theory.thermal`."""
    import torch
    from transformers import AutoModelForCausalLM

    from negtemp.theory import indicators as formulas
    from negtemp.theory.thermal import ThermalSums

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(converted(path), dtype=torch.float32).eval()
    start = torch.full((SEQUENCES, 1), model.config.bos_token_id)
    with torch.no_grad():
        written = model.generate(
            start, attention_mask=torch.ones_like(start), do_sample=True, top_k=0, max_new_tokens=LENGTH,
            min_new_tokens=LENGTH, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
    sums = ThermalSums(model.config.vocab_size)
    for logits in written.logits:
        sums.add(logits.numpy())
    thermal = sums.indicators()
    read, head = (m.weight.detach().numpy() for m in (model.get_input_embeddings(), model.get_output_embeddings()))
    unused = np.argsort(-thermal["mean_logit"], kind="stable")[:16]
    direction = formulas.unused_direction(head[unused])
    assert direction is not None
    component = formulas.first_component(head)
    stripped = formulas.without(direction[None], component)[0]
    return thermal | {
        "input_norm": -formulas.norms(read),
        "input_centroid": -formulas.distances(read, read.mean(axis=0)),
        "output_centroid": -formulas.distances(head, head.mean(axis=0)),
        "unused_cosine": formulas.cosines(head, direction),
        "unused_cosine_no_pc": formulas.cosines(formulas.without(head, component), stripped),
    }


if __name__ == "__main__":
    main()
