"""What every command shows of its records, at any width: whole numbers, nothing raw, and the same from a saved run."""

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import golden
import pytest
from conftest import HOSTILE
from rich.cells import cell_len
from rich.console import RenderableType

from negtemp.cli import doctor, plotting
from negtemp.printable import is_hostile
from negtemp.records import AuditToken, Header, Occurrence, Record, Step, TokenGeometry, Trial
from negtemp.records.audit import Change
from negtemp.runs.reading import load_run, read_run
from negtemp.views import console
from negtemp.views.console import SafeConsole
from negtemp.views.presenters import PRESENTERS, unknown

SAVED = Path(__file__).parent / "saved"
RUNS = [folder for folder in sorted(SAVED.iterdir()) if folder.name != "sweep"]
NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
PIPE = 1 << 14


def drawn(header: Header, records: list[Record], width: int, everything: bool = False) -> str:
    out = SafeConsole(width=width, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    for part in PRESENTERS[header.command](header, iter(records), out, everything):
        out.print(part)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def with_hostile_pieces(record: Record, number: int) -> Record:
    """The record with a token that breaks naive displays, and hostile text where a name is meant."""
    raw = HOSTILE[number % len(HOSTILE)]
    if isinstance(record, Change):
        return replace(record, after=replace(record.after, raw=raw, category="normal\x1b[31m\u202e"))
    if isinstance(record, AuditToken | TokenGeometry | Trial):
        return replace(record, raw=raw, category="normal\x1b[31m\u202e")
    return replace(record, raw=raw) if isinstance(record, Step | Occurrence) else record


@pytest.mark.parametrize("width", [60, 100, PIPE])
@pytest.mark.parametrize("everything", [False, True], ids=["top", "all"])
@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_nothing_raw_is_drawn_and_nothing_is_too_wide(folder: Path, width: int, everything: bool) -> None:
    header, *records = load_run(folder)
    assert isinstance(header, Header)
    hostile = [with_hostile_pieces(record, number) for number, record in enumerate(records)]
    text = drawn(header, hostile, width, everything)
    assert {c for c in text if is_hostile(c)} <= {"\n", "␠", "◌"}
    if width < PIPE:
        assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("name", ["audit", "audit-diff", "repeat", "centroid"])
def test_ids_and_figures_are_never_broken(name: str, width: int) -> None:
    """Every figure that a wide terminal shows stands whole on a narrow one."""
    run = read_run(SAVED / name)
    records = list(run.records)
    wide, narrow = (set(re.findall(r"(?<![#\w.])[\w.]*\d[\w.]*", drawn(run.header, records, w))) for w in (200, width))
    ids = {str(r.token_id) for r in records if isinstance(r, AuditToken | TokenGeometry | Trial | Change)}
    assert ids & wide and ids & wide <= narrow
    assert {figure for figure in wide if re.fullmatch(r"\d+\.\d+|\d{3,}", figure)} - narrow == set()


def test_a_table_in_a_pipe_is_no_wider_than_its_pieces_need() -> None:
    run = read_run(SAVED / "audit")
    token = next(r for r in run.records if isinstance(r, AuditToken))
    long = replace(token, raw=b"x" * 500, candidate=True, category="normal")
    lines = drawn(run.header, [long], PIPE).splitlines()
    assert max(map(len, lines)) < 160 and "".join(lines).count("x") == 500


def test_ranks_that_are_missing_are_explained() -> None:
    run = read_run(SAVED / "audit")
    assert "ranks that are missing are theirs" in drawn(run.header, list(run.records), 100)


def test_completions_stand_one_below_the_other_in_a_pipe() -> None:
    run = read_run(SAVED / "compare")
    lines = drawn(run.header, list(run.records), PIPE).splitlines()
    assert [line for line in lines if line.startswith("T=")] == ["T=+0.001 (β=+1000)", "T=-0.001 (β=-1000)"] * 2
    assert max(map(len, lines)) < 160


def test_a_command_of_tomorrow_is_counted_and_not_drawn() -> None:
    header = replace(read_run(SAVED / "run").header, command="census\x1b[31m")
    (said,) = unknown(header, iter(golden.RECORDS), console.stdout(io.StringIO()))
    assert "3 token" in str(said) and "census" in str(said) and "\x1b" not in str(said)


def test_a_token_that_ends_the_generation_is_no_text_in_a_stream() -> None:
    stream, parts = console.Stream(100), list[RenderableType]()
    for raw in (b"a", b"\xc3", b"<|im_end|>"):
        step = next(r for r in golden.RECORDS if isinstance(r, Step))
        parts.append(stream.add(replace(step, raw=raw)))
    assert "".join(map(str, [*parts, stream.end("eog")])) == "a\\xc3"


def shown(*arguments: str, width: str = "100") -> str:
    environment = os.environ | {"COLUMNS": width, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([NEGTEMP, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "-n", "4", "-p", "a", "-p", "b"], ["compare", "-n", "2", "--seeds", "1,2", "--betas", "-1,0,1"],
        ["spectrum", "-p", "a"], ["spectrum", "-p", "a", "--betas=-1,1", "--along", "1"],
        ["centroid", "--ids", "5,700", "--top", "2"], ["centroid", "--all"],
        ["repeat", "--ids", "700", "--controls", "1", "--samples", "0"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_show_draws_a_saved_run_as_its_command_did(tmp_path: Path, command: list[str]) -> None:
    drawn_by_command = shown(*command, "-o", str(tmp_path / "run"))
    assert len(drawn_by_command) > 100
    assert shown("show", str(tmp_path / "run")) == drawn_by_command
    assert shown("show", str(tmp_path / "run" / "records.jsonl")) == drawn_by_command


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_show_gives_the_records_of_a_saved_run_as_they_are(folder: Path) -> None:
    assert shown("show", "--json", str(folder)) == (folder / "records.jsonl").read_text(encoding="utf-8")


def test_a_file_that_was_written_is_named_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plotting.save(tmp_path / "a.png", lambda suffix: b"image")
    said = capsys.readouterr()
    assert said.out == "" and "wrote" in said.err and "a.png" in said.err.replace("\n", "")


@pytest.mark.parametrize("width", ["60", "200"])
def test_doctor_gives_each_value_a_line_of_its_own_where_they_do_not_fit(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = "0004-llama-keep-to-max_tokens-where-no-byte-completes-a-character.patch"
    monkeypatch.setenv("COLUMNS", width)
    doctor.show(doctor.Report("1", "3", "Linux", "0.3", True, [patch] * 2, {}, [], [], "samples", None))
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if line.endswith(patch)][-1] == patch
    assert (f"  {patch}" in lines) == (width == "60") and ("patches" in lines) == (width == "60")
