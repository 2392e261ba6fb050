"""How well the plateau of the entropy below zero counts the tokens that a model never saw, where the truth is known.

    python benchmarks/plateau.py                             the bundled model
    python benchmarks/plateau.py build/audit-family/*.gguf   the family that benchmarks/audit_family.py trains

The truth is the counts of tokens in the training text: `NAME.truth.json` beside `NAME.QUANTISATION.gguf`. Each prompt
is one forward pass and one count (`theory.thermodynamics.plateau_beta`). Prints a table; it times nothing.
"""

import json
import statistics
import sys
from pathlib import Path

import negtemp
from negtemp.model import model_file
from negtemp.records import Spectrum

PROMPTS = (
    "Temperature is a concept", "The", "Once upon a time", "def f(x):", "In 1990,", "The file is", "Python",
    "water boils at", "I", "1 2 3", "Die Stadt", "?", "A list of the", "zzz qqq", "The function returns", "hello",
)  # fmt: skip


def main() -> None:
    """A row for each model named, or for the bundled one."""
    print("| model | tokens | never seen | prompts with a plateau | median count | lowest | highest |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else [model_file.bundled()]:
        print(row(path), flush=True)


def row(path: Path) -> str:
    """One model's truth and what its prompts count."""
    truth = counts(path)
    with negtemp.load(path) as model:
        spectra = [r for r in model.spectrum(*PROMPTS, betas=[0.0]) if isinstance(r, Spectrum)]
    found = [spectrum.shelf.negative.tokens for spectrum in spectra if spectrum.shelf.negative]
    figures = [statistics.median(found), min(found), max(found)] if found else []
    never = sum(count == 0 for count in truth)
    cells = [
        path.stem,
        f"{len(truth):,}",
        f"{never:,}",
        f"{len(found)} of {len(PROMPTS)}",
        *(f"{x:,.0f}" for x in figures),
    ]
    return "| " + " | ".join(cells) + " |"


def counts(path: Path) -> list[int]:
    """How often each token occurred in the text that the model was trained on."""
    beside = path.with_name(
        path.name.split(".")[0] + (".counts.json" if path == model_file.bundled() else ".truth.json")
    )
    found: list[int] = json.loads(beside.read_text(encoding="utf-8"))["counts"]
    return found


if __name__ == "__main__":
    main()
