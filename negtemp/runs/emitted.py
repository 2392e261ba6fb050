"""What a saved run emitted: the completions of `run`, `compare` or `sweep`, grouped by temperature.

It leaves out the steps: a completion names every token that its sequence emitted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import RecordError
from negtemp.printable import printable
from negtemp.records import Completion, Header, Record, from_line
from negtemp.runs import reading
from negtemp.theory.temperature import Temperature


@dataclass(frozen=True)
class Emitted:
    """The completions of one run, none without a token, and the Header that says by which model."""

    header: Header
    completions: tuple[Completion, ...]

    @property
    def prompts(self) -> list[str]:
        """The distinct prompts, in their order."""
        return list(dict.fromkeys(completion.prompt for completion in self.completions))

    def by_temperature(self) -> dict[Temperature, list[int]]:
        """Every emitted token id at each temperature, repeats included; the largest beta first."""
        found: dict[Temperature, list[int]] = {}
        for completion in sorted(self.completions, key=lambda completion: -completion.temperature.beta):
            found.setdefault(completion.temperature, []).extend(completion.token_ids)
        return found


def read(path: Path) -> Emitted:
    """A run's folder, or a file of JSON Lines. Raises RecordError for anything else, or a run without steps."""
    shown = printable(os.fsencode(path), keep=" ")
    header: Header | None = None
    completions = []
    for record in _records(path, shown):
        if isinstance(record, Header):
            header = record
        elif isinstance(record, Completion) and record.token_ids:
            completions.append(record)
    if header is None or not completions:
        raise RecordError(f"{shown} holds no steps; give a run that `negtemp run`, `compare` or `sweep` has saved")
    return Emitted(header, tuple(completions))


def _records(path: Path, shown: str) -> Iterator[Record]:
    if path.is_dir():
        yield from reading.iterate(path)
        return
    try:
        with path.open(encoding="utf-8") as file:
            yield from map(from_line, file)
    except OSError as error:
        raise RecordError(f"cannot read the run {shown}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecordError(f"{shown} is not UTF-8; give records that negtemp has saved") from None
