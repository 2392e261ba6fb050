"""Schema 1 stays byte for byte: golden lines of every kind of record, and whole runs, all written by negtemp 0.1.0."""

import json
from pathlib import Path

import golden
import pytest

from negtemp.records import Record, from_line, to_line
from negtemp.runs.reading import iterate

SAVED = Path(__file__).parent / "saved"
LINES = golden.LINES.read_bytes().decode("utf-8").split("\n")[:-1]
PAIRS = [pytest.param(record, line, id=f"{record.kind}-{i}") for i, (record, line) in
         enumerate(zip(golden.RECORDS, LINES, strict=True))]  # fmt: skip


@pytest.mark.parametrize(("record", "line"), PAIRS)
def test_a_record_is_the_line_that_it_has_always_been(record: Record, line: str) -> None:
    assert to_line(record) == line


@pytest.mark.parametrize(("record", "line"), PAIRS)
def test_a_line_read_and_written_again_is_the_same_line(record: Record, line: str) -> None:
    read = from_line(line)
    assert type(read) is type(record)
    assert to_line(read) == line


def test_every_kind_of_record_has_a_golden_line() -> None:
    from negtemp.records import lines

    classes = {cls for sharing in lines._KINDS.values() for cls in sharing}
    assert classes == {type(record) for record in golden.RECORDS}


@pytest.mark.parametrize("path", sorted(SAVED.glob("*/records.jsonl")), ids=lambda path: path.parent.name)
def test_every_line_of_a_saved_run_is_read_and_written_again_as_it_was(path: Path) -> None:
    lines = path.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == "" and lines
    assert [to_line(from_line(line)) for line in lines] == lines


@pytest.mark.parametrize("folder", sorted(SAVED.iterdir()), ids=lambda folder: folder.name)
def test_a_saved_run_is_read_whole(folder: Path) -> None:
    header, *records = iterate(folder)
    assert header.kind == "header"
    assert len(records) > 1
    if not (folder / "manifest.json").exists():
        assert len(records) + 1 == len((folder / "records.jsonl").read_bytes().splitlines())
    else:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        assert len([r for r in records if r.kind == "completion"]) == manifest["units"]
