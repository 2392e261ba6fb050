"""Centroid geometry of a large matrix: negtemp beside gguf-py and numpy, in every type that the library can make.

    python benchmarks/centroid.py [--rows 32000] [--dim 4096] [--types q4_0,f16] [--threads N] [--repeats N]

A matrix of normal values (32,000 × 4,096 unless told otherwise) is written to build/centroid in each type; 250 rows
are quantised and repeated, since the library takes minutes to make some types. Each side runs in a process of its own
and in alternation, on a file that the page cache holds, and gives distance, norm and cosine of every row. gguf-py's
side is the plain way: `GGUFReader`, `dequantize`, then numpy, in float64 where it must be (the mean) and in float32
elsewhere; types that gguf-py cannot read are negtemp's alone. Before each, more memory than either needs is touched and
freed: a virtual machine's host takes free memory back, and gguf-py would wait for it, three times as long in all.
Seconds are the best of the repeats, from opening the file to the last percentile, imports not counted; memory is the
process's greatest resident set, imports included. The largest relative difference between the distances of both sides
says that they computed the same.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from speed.machine import describe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "centroid"
SIDES = ("negtemp", "gguf-py")
KNOWN_TO_GGUF_PY = {known.name.lower() for known in gguf.GGMLQuantizationType} - {"q1_0"}
_DISTINCT_ROWS = 250
_WARM_BYTES = 5 << 29

sys.path.insert(0, str(ROOT / "tests"))
from quantised import TYPES, quantise  # noqa: E402


def main() -> None:
    """Measure both sides for every type and print a Markdown table, or, in a child, one side of one file."""
    options = read_options()
    if options.side:
        print(json.dumps(one_side(options.side, options.file, options.threads)))
        return
    print("\n".join(f"- {name}: {value}" for name, value in describe(options.threads).items()), end="\n\n")
    print(f"{options.rows:,} × {options.dim:,}; seconds, best of {options.repeats}; MB resident at most\n")
    print("| type | negtemp s | MB | gguf-py + numpy s | MB | times faster | difference |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for type_name in options.types.split(",") if options.types else TYPES:
        path = written(type_name, options.rows, options.dim)
        print(row(type_name, measured(path, type_name, options)), flush=True)
        path.unlink()


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=32_000, help="default: %(default)s")
    parser.add_argument("--dim", type=int, default=4_096, help="a multiple of 256; default: %(default)s")
    parser.add_argument("--types", help="comma-separated; default: every type")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def written(type_name: str, rows: int, dim: int) -> Path:
    """A GGUF file of one matrix, `token_embd.weight`, in a type."""
    from negtemp.model import library

    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{type_name}.gguf"
    values = np.random.default_rng(0).normal(0.001, 0.02, (_DISTINCT_ROWS, dim)).astype(np.float32)
    block = quantise(library.load(), values, type_name).tobytes()
    row_bytes = len(block) // _DISTINCT_ROWS
    with path.open("wb") as file:
        file.write(head(TYPES[type_name], rows, dim))
        for start in range(0, rows, _DISTINCT_ROWS):
            file.write(block[: min(_DISTINCT_ROWS, rows - start) * row_bytes])
    return path


def head(type_number: int, rows: int, dim: int) -> bytes:
    """The head of a GGUF file of one tensor; written by hand, since gguf-py does not know every type."""
    name = b"token_embd.weight"
    fields = b"GGUF" + np.array([3], "<u4").tobytes() + np.array([1, 0, len(name)], "<u8").tobytes() + name
    fields += np.array([2], "<u4").tobytes() + np.array([dim, rows], "<u8").tobytes()
    fields += np.array([type_number], "<i4").tobytes() + np.array([0], "<u8").tobytes()
    return fields + bytes(-len(fields) % gguf.GGUF_DEFAULT_ALIGNMENT)


def measured(path: Path, type_name: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The best of each side, in alternation; gguf-py is left out where it does not know the type."""
    sides = SIDES if type_name.lower() in KNOWN_TO_GGUF_PY else SIDES[:1]
    best: dict[str, dict[str, Any]] = {}
    for _ in range(options.repeats):
        for side in sides:
            subprocess.run([sys.executable, "-c", f"import numpy; numpy.ones({_WARM_BYTES}, 'u1')"], check=True)
            command = [sys.executable, __file__, "--side", side, "--file", str(path), "--threads", str(options.threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            if side not in best or found["seconds"] < best[side]["seconds"]:
                best[side] = found
    return best


def row(type_name: str, best: dict[str, dict[str, Any]]) -> str:
    """One line of the table."""
    ours, theirs = best["negtemp"], best.get("gguf-py")
    cells = [type_name, f"{ours['seconds']:.2f}", f"{ours['megabytes']:.0f}"]
    if theirs is None:
        return f"| {' | '.join(cells)} | not read | | | |"
    first, second = np.array(ours["distances"]), np.array(theirs["distances"])
    difference = float(np.max(np.abs(first - second) / second))
    times = theirs["seconds"] / ours["seconds"]
    cells += [f"{theirs['seconds']:.2f}", f"{theirs['megabytes']:.0f}", f"{times:.1f}", f"{difference:.0e}"]
    return f"| {' | '.join(cells)} |"


def one_side(side: str, path: Path, threads: int) -> dict[str, Any]:
    """Seconds and memory of one side in this process, and the distances of a few rows."""
    seconds, distances = with_negtemp(path, threads) if side == "negtemp" else with_gguf_py(path)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {"seconds": seconds, "megabytes": peak, "distances": distances[:_DISTINCT_ROWS].tolist()}


def with_negtemp(path: Path, threads: int) -> tuple[float, NDArray[np.floating[Any]]]:
    """By blocks of rows, through the library's dequantiser."""
    from negtemp.model import library
    from negtemp.model.weights.geometry import measure
    from negtemp.model.weights.tensors import Weights

    loaded = library.load()
    started = time.perf_counter()
    with Weights(loaded, path) as weights:
        found = measure(weights.embedding, threads)
    return time.perf_counter() - started, found.distances


def with_gguf_py(path: Path) -> tuple[float, NDArray[np.floating[Any]]]:
    """The whole matrix at once."""
    from negtemp.theory.statistics import percentiles

    started = time.perf_counter()
    tensor = gguf.GGUFReader(path).tensors[0]
    rows = gguf.dequantize(tensor.data, tensor.tensor_type)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    norms = np.linalg.norm(rows, axis=1)
    cosines = rows @ mean / norms / np.linalg.norm(mean)
    distances = np.linalg.norm(rows - mean, axis=1)
    percentiles(distances)
    assert len(cosines) == len(rows)
    return time.perf_counter() - started, distances


if __name__ == "__main__":
    main()
