"""One measured figure, and the file that takes each as it comes, so that a run that is cut off loses nothing.

A row's key is what was measured, not what came out; a key that is in the file already is not measured again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from speed.programs import ChildError

Key = tuple[str, str, str, int, int]


@dataclass(frozen=True)
class Row:
    """What one program did in one round. `problem`: why there are no figures."""

    part: str
    model: str
    program: str
    size: int  # sequences, or whatever the part varies
    round: int
    tokens_per_second: float | None = None
    seconds: float | None = None
    peak_mib: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def key(self) -> Key:
        return self.part, self.model, self.program, self.size, self.round


class Rows:
    """The rows of one file, those of earlier runs first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[Key, Row] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            row = Row(**json.loads(line))
            self._rows[row.key] = row

    def measure(self, key: Key, by: Callable[[], Mapping[str, Any]]) -> Row:
        """The row of a key: the one that is there, or a new one with the figures that `by` gives."""
        known = self._rows.get(key)
        if known and not known.problem:
            return known
        try:
            row = replace(Row(*key), **by())
        except ChildError as error:
            row = Row(*key, problem=str(error))
        self._rows[row.key] = row
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        return row

    def of(self, part: str, model: str = "", program: str = "", size: int | None = None) -> list[Row]:
        """The rows with figures of a part, and of a model, program and size where they are named."""
        return [
            row for row in self._rows.values()
            if row.part == part and model in ("", row.model) and program in ("", row.program)
            and size in (None, row.size) and not row.problem
        ]  # fmt: skip

    def problems(self) -> list[Row]:
        """The rows without figures."""
        return [row for row in self._rows.values() if row.problem]
