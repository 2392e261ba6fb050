"""The options that commands share, named as llama.cpp names them, and what their text means.

No number is ever a positional argument: `--temp -0.001` parses, a bare `-0.001` would read as an option.
"""

import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from negtemp.errors import PromptError, UsageError
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.request import check_seed
from negtemp.printable import printable
from negtemp.theory.temperature import Temperature

_MODEL, _PROMPT, _SAMPLING, _OUTPUT = "Model", "Prompt", "Sampling", "Output"

Model = Annotated[
    Path | None,
    typer.Option(
        "-m", "--model", metavar="FILE", envvar="NEGTEMP_MODEL", rich_help_panel=_MODEL,
        show_default="the bundled model", help="a GGUF file",
    ),
]  # fmt: skip
GpuLayers = Annotated[
    int, typer.Option("-ngl", "--n-gpu-layers", rich_help_panel=_MODEL, help="layers to put on the GPU; -1 for all")
]
Threads = Annotated[
    int | None,
    typer.Option("-t", "--threads", min=1, rich_help_panel=_MODEL, show_default="physical cores", help="CPU threads"),
]
CtxSize = Annotated[
    int | None,
    typer.Option(
        "-c", "--ctx-size", min=1, rich_help_panel=_MODEL, show_default="as trained",
        help="tokens a sequence may hold, its prompt included",
    ),
]  # fmt: skip
Prompt = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--prompt", metavar="TEXT", rich_help_panel=_PROMPT, show_default=PROMPT, help="a prompt; may be repeated"
    ),
]
File = Annotated[
    list[Path] | None,
    typer.Option(
        "-f", "--file", metavar="FILE", rich_help_panel=_PROMPT, help="a UTF-8 file that is one prompt; may be repeated"
    ),
]
NPredict = Annotated[
    int, typer.Option("-n", "--n-predict", min=1, rich_help_panel=_SAMPLING, help="tokens to generate at most")
]
Seed = Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_SAMPLING, help="-1 draws one and says which")]
Mask = Annotated[
    str,
    typer.Option(
        "--mask", metavar="LIST", rich_help_panel=_SAMPLING,
        help="kinds of tokens never drawn, such as control,unused,byte",
    ),
]  # fmt: skip
IgnoreEos = Annotated[
    bool, typer.Option("--ignore-eos", rich_help_panel=_SAMPLING, help="never draw a token that ends the generation")
]
TopK = Annotated[
    int, typer.Option("--top-k", rich_help_panel=_SAMPLING, help="keep the k most likely tokens; 0 is off")
]
TopP = Annotated[
    float, typer.Option("--top-p", rich_help_panel=_SAMPLING, help="keep a nucleus of this mass; 1 is off")
]
MinP = Annotated[
    float,
    typer.Option("--min-p", rich_help_panel=_SAMPLING, help="keep tokens of this share of the best's p; 0 is off"),
]
RepeatPenalty = Annotated[
    float,
    typer.Option(
        "--repeat-penalty", rich_help_panel=_SAMPLING, help="1 is off; below zero a penalty rewards what it names"
    ),
]
Json = Annotated[bool, typer.Option("--json", rich_help_panel=_OUTPUT, help="JSON Lines on standard output")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        rich_help_panel=_OUTPUT,
        help="a new folder to write records.jsonl into as well",
    ),
]

TEMP_PANEL = _SAMPLING


def settings(
    n_predict: int, ctx_size: int | None, mask: str, ignore_eos: bool,
    repeat_penalty: float, top_k: int, top_p: float, min_p: float,
) -> Settings:  # fmt: skip
    """The options as Settings. Raises UsageError for a value out of range."""
    categories = tuple(part.strip() for part in mask.split(",") if part.strip())
    return Settings(n_predict, ctx_size, categories, ignore_eos, repeat_penalty, top_k, top_p, min_p)


def temperature(temp: float | None, beta: float | None, default: Temperature) -> Temperature:
    """The one temperature meant by --temp or --beta. Raises UsageError for both, or NaN."""
    if temp is not None and beta is not None:
        raise UsageError(f"--temp {temp:g} and --beta {beta:g} are two answers to one question; give one of them")
    if temp is not None:
        return Temperature.of(temp)
    return default if beta is None else Temperature.of_beta(beta)


def temperatures(temps: str | None, betas: str | None, default: Sequence[Temperature]) -> list[Temperature]:
    """The list meant by --temps or --betas. Raises UsageError for both, an empty list, a word or NaN."""
    if temps is not None and betas is not None:
        raise UsageError("--temps and --betas are two answers to one question; give one of them")
    if temps is not None:
        return [Temperature.of(value) for value in numbers("--temps", temps)]
    if betas is not None:
        return [Temperature.of_beta(value) for value in numbers("--betas", betas)]
    return list(default)


def numbers(option: str, text: str) -> list[float]:
    """Comma-separated numbers, `inf` and `-inf` among them. Raises UsageError naming the part that is none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    values = []
    for part in parts:
        try:
            values.append(float(part))
        except ValueError:
            raise UsageError(f"{option} holds {printable(part.encode())!r}, which is no number") from None
    if not values:
        raise UsageError(f"{option} is empty; give numbers separated by commas, such as 0.001,-0.001")
    return values


def seeds(text: str | None, single: int) -> list[int]:
    """The seeds meant by --seeds or --seed; -1 is drawn at random once. Raises UsageError."""
    if text is None:
        return [seed(single)]
    values = numbers("--seeds", text)
    whole = [value for value in values if math.isfinite(value) and value == int(value)]
    if len(whole) < len(values):
        raise UsageError(f"--seeds holds a number that is not whole: {printable(text.encode())}")
    return [seed(int(value)) for value in whole]


def seed(value: int) -> int:
    """A seed as given, or one drawn at random for -1; the records carry what was drawn. Raises UsageError."""
    return secrets.randbelow(2**31) if value == -1 else check_seed(value)


def prompts(texts: Sequence[str] | None, files: Sequence[Path] | None) -> list[str]:
    """Every -p, then every -f; the article's prompt where there is neither. Raises PromptError."""
    return [*(texts or ()), *map(_read, files or ())] or [PROMPT]


def _read(path: Path) -> str:
    """A prompt file, less one newline at its end, as llama.cpp reads it."""
    shown = printable(str(path).encode("utf-8", "surrogateescape"), keep=" ")
    try:
        return path.read_bytes().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise PromptError(
            f"{shown} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; convert it"
        ) from None
    except OSError as error:
        raise PromptError(f"cannot read the prompt file {shown}: {error.strerror}") from None


def candidates(text: str | None) -> int | float | None:
    """A number of candidates, or a percentage as a share of the vocabulary. Raises UsageError for anything else."""
    if text is None:
        return None
    try:
        if not text.endswith("%"):
            wanted: int | float = int(text)
        else:
            wanted = float(text.removesuffix("%")) / 100
    except ValueError:
        wanted = 0
    if not 0 < wanted <= (1 if isinstance(wanted, float) else wanted):
        shown = printable(text.encode("utf-8", "surrogateescape"), keep=" ")
        raise UsageError(f"--candidates is {shown!r}; give a whole number such as 500, or a percentage such as 2%")
    return wanted


def require_exclusive(option: str, others: Sequence[str]) -> None:
    """Raise UsageError where an option is given with others that it leaves no meaning to."""
    if others:
        raise UsageError(f"{option} and {others[0]} cannot both be meant; leave one of them out")
