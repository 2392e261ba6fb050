"""Writes what the benchmark found beside this module: results.json with every figure, RESULTS.md with the tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from audit import axis
from audit.results import along_axis, measured, search
from audit.scoring import Scored
from audit.tables import page

HERE = Path(__file__).parent


def write_results(files: Sequence[Scored]) -> None:
    """Write both files beside this module."""
    rows, found = [measured(file) for file in files], search(files)
    along = [along_axis(file) for file in files if file.quantisation == "F16"]
    record = {
        "files": [asdict(row) for row in rows],
        "axis": [{"betas": list(map(str, axis.BETAS)), **asdict(row)} for row in along],
        "left_out": [choice._asdict() for choice in found.left_out],
    }
    (HERE / "results.json").write_text(_json(record), encoding="utf-8")
    (HERE / "RESULTS.md").write_text(page(rows, found, along), encoding="utf-8")


def _json(record: Mapping[str, Sequence[object]]) -> str:
    """An object of lists, a line for each of their entries."""
    lists = (f"{json.dumps(name)}: [\n{_lines(entries)}\n]" for name, entries in record.items())
    return f"{{{', '.join(lists)}}}\n"


def _lines(entries: Sequence[object]) -> str:
    return ",\n".join(json.dumps(_rounded(entry)) for entry in entries)


def _rounded(value: object) -> object:
    """Floats to four digits, so that a rerun changes what changed; NaN, which JSON has not, to null."""
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value
