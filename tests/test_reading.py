"""One reader of saved runs: folder, file, pipe and standard input hold the same records; what is none is named."""

import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from negtemp.errors import RecordError, UsageError
from negtemp.model import model_file
from negtemp.printable import is_hostile
from negtemp.records import Header, Record
from negtemp.runs import audits
from negtemp.runs.reading import is_run, load_run, read_emitted, read_run

SAVED = Path(__file__).parent / "saved"
COMPARE = (SAVED / "compare" / "records.jsonl").read_bytes()
RUNS = sorted(SAVED.iterdir())


def piped(content: bytes, read: Callable[[Path], list[Record]]) -> list[Record]:
    """What is read from a pipe that another thread fills, as the shell's <(…) is."""
    out, into = os.pipe()

    def fill() -> None:
        with open(into, "wb") as file:
            file.write(content)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        return read(Path(f"/dev/fd/{out}"))
    finally:
        thread.join()
        os.close(out)


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_file_a_pipe_and_standard_input_hold_what_the_folder_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, file = load_run(folder), folder / "records.jsonl"
    assert load_run(file) == expected or "nan" in str(expected)
    if (folder / "manifest.json").exists():
        return  # whose header is not in the file
    content = file.read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content))))
    assert list(map(str, piped(content, load_run))) == list(map(str, expected))
    assert list(map(str, load_run("-"))) == list(map(str, expected))


def test_an_audit_comes_whole_out_of_a_pipe_that_was_first_looked_at() -> None:
    def read(path: Path) -> list[Record]:
        assert is_run(path)
        return list(audits.read(path).tokens)

    assert piped((SAVED / "audit" / "records.jsonl").read_bytes(), read) == audits.read(SAVED / "audit").tokens


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + COMPARE, COMPARE.replace(b"\n", b"\r\n"), COMPARE + b"\n", COMPARE.removesuffix(b"\n"),
     COMPARE + COMPARE[:300], COMPARE + b'{"kind": "step", "piece": "\xe2\x82'],
    ids=["bom", "crlf", "empty-line", "no-last-newline", "torn", "torn-in-a-character"],
)  # fmt: skip
def test_what_editors_and_crashes_do_to_a_file_loses_no_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.jsonl").write_bytes(content)
    assert load_run(tmp_path / "run.jsonl") == load_run(SAVED / "compare")


@pytest.mark.parametrize("line", [b"\xff\n", b'{"kind":"\x1b[31m"}\n', b"[]\n", b"x\x00\n"])
def test_a_line_that_is_no_record_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a\x1b[31m.jsonl"
    path.write_bytes(COMPARE + line + COMPARE)
    with pytest.raises(RecordError, match=f"line {COMPARE.count(10) + 1} of ") as caught:
        load_run(path)
    assert not any(is_hostile(character) for character in str(caught.value))


def test_records_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(COMPARE + b"damaged\n")
    run = read_run(path)
    assert isinstance(run.header, Header) and run.header.command == "compare"
    assert next(run.records).kind == "step"
    with pytest.raises(RecordError):
        list(run.records)


@pytest.mark.parametrize("content", [b"", b"\n", COMPARE.split(b"\n", 1)[1], b"GGUF\x03\x00\x00\x00", b"{"])
def test_what_is_no_run_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.jsonl").write_bytes(content)
    with pytest.raises(RecordError):
        read_run(tmp_path / "run.jsonl")


@pytest.mark.parametrize("path", ["nothing", "folder"])
def test_a_path_without_a_run_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RecordError, match=path):
        read_run(tmp_path / path)


def test_a_run_is_told_from_a_model() -> None:
    assert [is_run(path) for path in (SAVED / "audit", SAVED / "audit" / "records.jsonl", Path("-"))] == [True] * 3
    assert not is_run(model_file.bundled())
    assert not is_run(SAVED) and not is_run(SAVED / "nothing")


def test_a_run_of_another_kind_is_no_audit_and_emits_nothing() -> None:
    with pytest.raises(UsageError, match="no whole audit"):
        audits.read(SAVED / "compare")
    with pytest.raises(RecordError, match="holds no steps"):
        read_emitted(SAVED / "spectrum")
    assert read_emitted(SAVED / "sweep" / "records.jsonl").header.command == "sweep"
