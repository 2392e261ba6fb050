"""The options that commands share, named as llama.cpp names them, and what their text means.

No number is ever a positional argument: `--temp -0.001` parses, a bare `-0.001` would read as an option.
"""

import functools
import inspect
import math
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from negtemp.errors import PromptError, UsageError
from negtemp.experiments.settings import PROMPT, SETTINGS, Setting, Settings
from negtemp.model.engine.request import check_seed
from negtemp.printable import printable_text
from negtemp.text_input import STANDARD_INPUT, read_text
from negtemp.theory.temperature import Temperature

_MODEL, _PROMPT, _SAMPLING, _OUTPUT = "Model", "Prompt", "Sampling", "Output"
_RANGE, _LONGEST_RANGE = re.compile(r"(\d{1,10})-(\d{1,10})"), 1_000_000

Model = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", metavar="FILE|NAME", envvar="NEGTEMP_MODEL", rich_help_panel=_MODEL,
        show_default="the bundled model", help="a GGUF file, or a name such as hf:org/repo:Q4_K_M or ollama:name",
    ),
]  # fmt: skip


def _layers(given: str | int) -> int:
    """A number of layers, or `all` or `auto` as llama.cpp takes them."""
    if str(given).lower() in ("all", "auto"):
        return -1
    try:
        return int(given)
    except ValueError:
        raise typer.BadParameter("give a whole number, or all") from None


GpuLayers = Annotated[
    int,
    typer.Option(
        "-ngl", "--n-gpu-layers", metavar="N|all", parser=_layers, rich_help_panel=_MODEL,
        help="layers to put on the GPU; -1 or all for all",
    ),
]  # fmt: skip
Threads = Annotated[
    int | None,
    typer.Option("-t", "--threads", min=1, rich_help_panel=_MODEL, show_default="physical cores", help="CPU threads"),
]
Unused = Annotated[
    list[str] | None,
    typer.Option(
        "--unused", metavar="NAME", rich_help_panel=_MODEL, show_default=False,
        help="tokens of this name count as unused; * stands for anything; may be repeated",
    ),
]  # fmt: skip
Prompt = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--prompt", metavar="TEXT", rich_help_panel=_PROMPT, show_default=PROMPT, help="a prompt; may be repeated"
    ),
]
Words = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", show_default=False, help="a prompt, quoted where it has spaces; the same as -p"),
]
PromptIds = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt-ids", metavar="IDS", rich_help_panel=_PROMPT, show_default=False,
        help="a prompt as token ids, such as 1,450; may be repeated",
    ),
]  # fmt: skip
Chat = Annotated[
    bool,
    typer.Option("--chat", rich_help_panel=_PROMPT, help="frame prompts by the model's chat template"),
]
System = Annotated[
    str | None,
    typer.Option(
        "--system", metavar="TEXT", rich_help_panel=_PROMPT, show_default=False, help="a system message; implies --chat"
    ),
]  # fmt: skip
File = Annotated[
    list[Path] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        rich_help_panel=_PROMPT,
        help="a UTF-8 file that is one prompt, - for standard input; may be repeated",
    ),
]
Seed = Annotated[int, typer.Option("-s", "--seed", rich_help_panel=_SAMPLING, help="-1 draws one and says which")]
Sampling = Mapping[str, Any]
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

TEMP_PANEL, PROMPT_PANEL = _SAMPLING, _PROMPT


Command = Callable[..., None]


def in_place_of(
    name: str, parameters: Sequence[inspect.Parameter], made: Callable[[dict[str, Any], Mapping[str, Any]], object]
) -> Callable[[Command], Command]:
    """Give a command options in the place of its parameter `name`.

    It receives what is `made` of their values, and of all its others.
    """

    def expand(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            chosen = {one.name: values.pop(one.name) for one in parameters}
            command(**values, **{name: made(chosen, values)})

        signature = inspect.signature(command)
        expanded: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            expanded += parameters if parameter.name == name else [parameter]
        run.__signature__ = signature.replace(parameters=expanded)  # type: ignore[attr-defined]
        return run

    return expand


def sampling(*names: str) -> Callable[[Command], Command]:
    """Give a command the sampling options of these names, all without any, in the place of its parameter `sampling`.

    The command receives their values as one mapping, and makes `settings` of it.
    """
    wanted = [SETTINGS[name] for name in names or SETTINGS]
    return in_place_of("sampling", list(map(_parameter, wanted)), lambda chosen, _: chosen)


def _parameter(setting: Setting) -> inspect.Parameter:
    """A setting as a command's parameter; a list is text with commas."""
    option, is_list = setting.option, isinstance(setting.default, tuple)
    described = typer.Option(
        *option.flags, help=option.help, rich_help_panel=option.panel, min=option.lowest, metavar=option.metavar,
        show_default=option.show_default,
    )  # fmt: skip
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default="" if is_list else setting.default,
        annotation=Annotated[str if is_list else setting.type, described],
    )  # fmt: skip


def settings(values: Mapping[str, Any]) -> Settings:
    """The sampling options among a command's values as Settings. Raises UsageError for a value out of range."""
    found = {name: values[name] for name in SETTINGS if name in values}
    if "mask" in found:
        found["mask"] = tuple(part.strip() for part in found["mask"].split(",") if part.strip())
    return Settings(**found)


def temperature(temp: float | None, beta: float | None, default: Temperature) -> Temperature:
    """The one temperature meant by --temp or --beta. Raises UsageError for both, or NaN."""
    if temp is not None and beta is not None:
        raise UsageError(f"--temp {temp:g} and --beta {beta:g} exclude each other; give one of them")
    if temp is not None:
        return Temperature.of(temp)
    return default if beta is None else Temperature.of_beta(beta)


def temperatures(temps: str | None, betas: str | None, default: Sequence[Temperature]) -> list[Temperature]:
    """The list meant by --temps or --betas. Raises UsageError for both, an empty list, a word or NaN."""
    if temps is not None and betas is not None:
        raise UsageError("--temps and --betas exclude each other; give one of them")
    if temps is not None:
        return [Temperature.of(value) for value in numbers("--temps", temps)]
    if betas is not None:
        return [Temperature.of_beta(value) for value in numbers("--betas", betas)]
    return list(default)


def numbers(option: str, text: str) -> list[float]:
    """Comma-separated numbers, `inf` and `-inf` among them. Raises UsageError naming the part that is not a number."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    values = []
    for part in parts:
        try:
            values.append(float(part))
        except ValueError:
            raise UsageError(f"{option} holds {printable_text(part)!r}, which is not a number") from None
    if not values:
        raise UsageError(f"{option} is empty; give numbers separated by commas, such as 0.001,-0.001")
    return values


def seeds(text: str | None, single: int) -> list[int]:
    """The seeds meant by --seeds or --seed; -1 is drawn at random once. Raises UsageError."""
    if text is None:
        return [seed(single)]
    return [seed(value) for value in whole_numbers("--seeds", text)]


def whole_numbers(option: str, text: str) -> list[int]:
    """Comma-separated whole numbers, and ranges such as 1-16, both ends included. Raises UsageError."""
    values = numbers(option, ",".join(_spelled_out(option, part.strip()) for part in text.split(",")))
    whole = [int(value) for value in values if math.isfinite(value) and value == int(value)]
    if len(whole) < len(values):
        raise UsageError(f"{option} holds a number that is not whole: {printable_text(text)}")
    return whole


def _spelled_out(option: str, part: str) -> str:
    found = _RANGE.fullmatch(part)
    if found is None:
        return part
    first, last = map(int, found.groups())
    if not 0 <= last - first < _LONGEST_RANGE:
        raise UsageError(f"{option} holds the range {part}; give its lower end first, and {_LONGEST_RANGE:,} at most")
    return ",".join(map(str, range(first, last + 1)))


def seed(value: int) -> int:
    """A seed as given, or one drawn at random for -1; the records carry what was drawn. Raises UsageError."""
    return secrets.randbelow(2**31) if value == -1 else check_seed(value)


def prompts(
    texts: Sequence[str] | None, files: Sequence[Path] | None, others: bool = False, words: str | None = None
) -> list[str]:
    """The words, every -p, then every -f; the article's prompt where there is none of them and there are no `others`.

    Raises PromptError.
    """
    if list(files or ()).count(STANDARD_INPUT) > 1:
        raise PromptError("-f - is given twice, and standard input can be read once; give one of them a file")
    return [*([] if words is None else [words]), *(texts or ()), *map(_read, files or ())] or (
        [] if others else [PROMPT]
    )


def token_ids(lists: Sequence[str] | None) -> list[list[int]]:
    """The ids of every --prompt-ids. Raises PromptError."""
    try:
        return [[int(one) for one in text.replace(",", " ").split()] for text in lists or ()]
    except ValueError:
        raise PromptError("--prompt-ids takes whole numbers, such as 1,450") from None


def _read(path: Path) -> str:
    """A prompt file, less one line end at its end, as llama.cpp reads it; `-` is standard input."""
    text = read_text(path, "the prompt file", PromptError)
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


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
        shown = printable_text(text, keep=" ")
        raise UsageError(f"--candidates is {shown!r}; give a whole number such as 500, or a percentage such as 2%")
    return wanted


def require_exclusive(option: str, others: Sequence[str]) -> None:
    """Raise UsageError where an option is given together with others that it cannot be combined with."""
    if others:
        raise UsageError(f"{option} cannot be combined with {others[0]}; leave one of them out")
