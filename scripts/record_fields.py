"""Print every kind of record for docs/file-formats.md: its name, its keys in JSON, and what its docstring says.

The keys are those that a golden line of `tests/golden/records.jsonl` holds, so a key that is left out where it is not
known stands here only if one of these lines has it.
"""

import inspect
import json
import textwrap
from pathlib import Path

from negtemp.records import from_line

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "records.jsonl"
_WIDTH = 112


def keys_by_class() -> dict[type, list[str]]:
    """The keys of each record's class, in the order of its lines, over all golden lines."""
    found: dict[type, list[str]] = {}
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        keys = found.setdefault(type(from_line(line)), [])
        keys += [key for key in json.loads(line) if key not in keys]
    return found


def entry(cls: type, keys: list[str]) -> str:
    """One kind: a line with its name, the keys, the docstring."""
    listed = textwrap.fill(", ".join(keys), _WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
    said = textwrap.indent(inspect.getdoc(cls) or "", "    ")
    return f"{keys_kind(cls)}\n{listed}\n\n{said}"


def keys_kind(cls: type) -> str:
    """What `kind` holds, and the class of negtemp.records that reads it back."""
    return f"{getattr(cls, 'kind')}    (negtemp.records.{cls.__name__})"  # noqa: B009  (mypy: no attribute of type)


if __name__ == "__main__":
    print("\n\n".join(entry(cls, keys) for cls, keys in keys_by_class().items()))
