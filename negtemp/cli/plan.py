"""A sweep's plan in TOML: the options of `negtemp sweep` by their long names, lists as lists.

    model = "7b.gguf"
    prompts = ["Temperature is a concept", "The capital of France is"]
    files = ["prompts/long.txt"]
    betas = [-1000, -1, 0, 1, 1000]        # or temps; the default is the grid
    seeds = [1, 2, 3]
    output = "runs/first"

    [sampling]
    n_predict = 64
    mask = ["control", "byte"]

Paths are relative to the plan; a model may be a name, such as "hf:org/repo". An option on the command line or in the
environment wins over the plan.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from negtemp.errors import UsageError
from negtemp.experiments.settings import SETTINGS
from negtemp.model import references
from negtemp.printable import printable_path, printable_text
from negtemp.text_input import read_text


def read(path: Path) -> dict[str, Any]:
    """The plan as values of the command's parameters. Raises UsageError naming the entry that is wrong."""
    shown = printable_path(path)
    try:
        fields = tomllib.loads(read_text(path, "the plan"))
    except ValueError as error:
        raise UsageError(f"the plan {shown} is not TOML: {printable_text(str(error), keep=' ')}") from None
    sampling = fields.pop("sampling", {})
    if not isinstance(sampling, dict):
        raise UsageError(f"the plan {shown} has a `sampling` that is not a table; begin it with [sampling]")
    try:
        return {
            name: value
            for known, section in ((_PLAN, fields), (_SAMPLING, sampling))
            for name, value in _parameters(known, section, path.parent)
        }
    except UsageError as error:
        raise UsageError(f"the plan {shown} {error}") from None


Reader = Callable[[Any, Path], Any]


def _parameters(known: Mapping[str, tuple[str, Reader]], section: Mapping[str, Any], folder: Path) -> Any:
    for key, value in section.items():
        if key not in known:
            raise UsageError(f"has {printable_text(key)!r}, which is not one of {', '.join(known)}")
        name, reader = known[key]
        try:
            yield name, reader(value, folder)
        except (TypeError, ValueError) as error:
            raise UsageError(f"has {key} = {printable_text(repr(value), keep=' ')}; give {error}") from None


def _of(kind: type, words: str) -> Reader:
    def reader(value: Any, _: Path) -> Any:
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, (kind, int) if kind is float else kind):
            raise TypeError(words)
        return value

    return reader


def _list(item: Reader, words: str) -> Reader:
    def reader(value: Any, folder: Path) -> Any:
        if not isinstance(value, list):
            raise TypeError(words)
        return [item(entry, folder) for entry in value]

    return reader


def _joined(reader: Reader) -> Reader:
    """A list as the command line writes it."""
    return lambda value, folder: ",".join(map(str, reader(value, folder)))


def _path(value: Any, folder: Path) -> Path:
    return Path(os.path.normpath(folder / os.path.expanduser(_text(value, folder))))


_text = _of(str, "a text")


def _model(value: Any, folder: Path) -> str:
    """A name stays; a path is relative to the plan."""
    text: str = _text(value, folder)
    return text if references.is_name(text) else str(_path(text, folder))


_count = _of(int, "a whole number")
_number = _of(float, "a number")
_switch = _of(bool, "true or false")
_numbers = _joined(_list(_number, "a list of numbers"))

# the plan's word -> the command's parameter and how to read it
_PLAN: dict[str, tuple[str, Reader]] = {
    "model": ("model", _model),
    "prompts": ("prompt", _list(_text, "a list of texts")),
    "files": ("file", _list(_path, "a list of files")),
    "temps": ("temps", _numbers),
    "betas": ("betas", _numbers),
    "seeds": ("seeds", _joined(_list(_count, "a list of whole numbers"))),
    "repeats": ("repeats", _count),
    "output": ("output", _path),
    "parallel": ("parallel", _count),
    "threads": ("threads", _count),
    "n_gpu_layers": ("n_gpu_layers", _count),
    "deterministic": ("deterministic", _switch),
    "steps": ("steps", _switch),
}
_BY_TYPE: dict[type, Reader] = {
    bool: _switch,
    int: _count,
    float: _number,
    tuple: _joined(_list(_text, "a list of texts")),
}
# a setting without a default is a count
_SAMPLING = {
    name: (name, _count if setting.default is None else _BY_TYPE[type(setting.default)])
    for name, setting in SETTINGS.items()
}
# one of a group on the command line puts the whole group of the plan aside
GROUPS = (("prompt", "file"), ("temps", "betas"))
