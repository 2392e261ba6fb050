"""A run directory under everything that can happen to it: torn lines, full disks, other settings, other processes."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from negtemp.errors import NegtempError, OutputError, RecordError, UsageError
from negtemp.records import Completion, EngineBuild, Failure, Header, ModelFile, Record, Step
from negtemp.runs.manifest import Manifest
from negtemp.runs.reading import load_run
from negtemp.runs.store import Keys, Store
from negtemp.theory.temperature import Temperature

UNITS = 8


def header(name: str = "model", **settings: Any) -> Header:
    """The head of a run."""
    model = ModelFile(name=name, description="", vocabulary=9, file=name, fingerprint=name.encode().hex())
    engine = EngineBuild(llama_cpp_python="0", patches=("a.patch",), patched=True)
    changed: dict[str, Any] = {"n_predict": 4, "betas": [1.0, -1.0]} | settings
    return Header(negtemp="0.1.0", command="sweep", model=model, engine=engine, settings=changed)


def completion(number: int, text: str = "ština\u202e") -> Completion:
    """A finished unit with a text that JSON has to escape."""
    return Completion(
        sequence=number, prompt="p", prompt_token_ids=(1,), temperature=Temperature.of(-1), seed=1, token_ids=(5,),
        text=text, stop="length", tokens_per_second=None, mean_logprob=-1.0, mean_rank=2.0, distinct=1.0,
        categories={"normal": 1.0}, unit=f"{number:016x}", run_seed=1, repeat=0,
    )  # fmt: skip


def step(number: int) -> Step:
    """A step of a unit."""
    return Step(
        sequence=number, position=0, token_id=5, raw=b"\xff", logprob=-1.0, rank=2, entropy=0.5, gap=0.1,
        sampled_logprob=0.0,
    )  # fmt: skip


def unit(number: int, steps: bool) -> list[Record]:
    """All records of a finished unit."""
    return [step(number), completion(number)] if steps else [completion(number)]


def store(folder: Path, head: Header | None = None) -> Store:
    """The run directory, begun or resumed."""
    return Store(folder, Manifest(head or header(), UNITS), {"machine": "here"})


def filled(folder: Path, count: int, steps: bool = False) -> Path:
    """A run directory with `count` finished units; the file of its records."""
    with store(folder) as run:
        for number in range(count):
            for record in unit(number, steps):
                run.save(record)
    return folder / "records.jsonl"


def test_what_is_saved_is_read_back_after_its_header(tmp_path: Path) -> None:
    filled(tmp_path / "run", 3, steps=True)
    expected: list[Record] = [header()]
    for number in range(3):
        expected += [step(number), completion(number)]
    assert load_run(tmp_path / "run") == expected


def test_the_manifest_is_there_before_any_unit(tmp_path: Path) -> None:
    with store(tmp_path) as run:
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert run.saved == 0
    assert (manifest["kind"], manifest["units"], manifest["sessions"]) == ("header", UNITS, [{"machine": "here"}])


def test_a_unit_is_in_the_file_when_save_returns(tmp_path: Path) -> None:
    with store(tmp_path) as run:
        run.save(completion(0))
        assert load_run(tmp_path)[1:] == [completion(0)]
        run.save(step(1))
        assert load_run(tmp_path)[1:] == [completion(0)]


@pytest.mark.parametrize("steps", [False, True], ids=["completions", "with-steps"])
def test_a_file_cut_anywhere_keeps_its_whole_units_and_goes_on(tmp_path: Path, steps: bool) -> None:
    path = filled(tmp_path / "run", 3, steps)
    whole = path.read_bytes()
    ends = [index + 1 for index, line in enumerate(whole.splitlines(keepends=True)) if b'"completion"' in line]
    sizes = [len(b"".join(whole.splitlines(keepends=True)[:end])) for end in ends]
    for cut in sorted({0, 1, *(size + by for size in sizes for by in (-90, -1, 0, 1, 120))}):
        path.write_bytes(whole[:cut])
        left = sum(size <= cut for size in sizes)
        assert load_run(path.parent)[1:] == [
            r for n in range(left) for r in ([step(n)] if steps else []) + [completion(n)]
        ]
        with store(path.parent) as run:
            assert run.saved == left
            assert path.stat().st_size == ([0, *sizes])[left]
            run.save(completion(7))
        assert [r.sequence for r in load_run(path.parent)[1:] if isinstance(r, Completion)] == [*range(left), 7]


def test_units_are_known_by_their_keys(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    with store(tmp_path) as run:
        assert [f"{number:016x}" in run.finished for number in range(5)] == [True, True, True, False, False]


def test_keys_of_every_size_are_found_and_no_others() -> None:
    keys = Keys(["ffffffffffffffff", "0000000000000000", "8000000000000000"])
    assert "ffffffffffffffff" in keys and "0000000000000000" in keys and "8000000000000000" in keys
    assert "0000000000000001" not in keys and "fffffffffffffffe" not in keys
    assert len(keys) == 3


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with pytest.raises(UsageError) as caught:
        store(tmp_path, header(n_predict=9, betas=[1.0, -2.0], mask=["byte"]))
    message = str(caught.value)
    assert "n_predict: 4 → 9" in message
    assert "betas: 1 gone (-1.0), 1 new (-2.0)" in message
    assert 'mask: null → ["byte"]' in message
    assert "\n" not in message
    assert load_run(tmp_path)[0] == header()


def test_another_model_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with pytest.raises(UsageError, match=r"model: .*model.*other"):
        store(tmp_path, header("other"))


def test_another_sitting_is_added_while_there_is_work(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with store(tmp_path) as run:
        for number in range(1, UNITS):
            run.save(completion(number))
    store(tmp_path).close()
    assert len(json.loads((tmp_path / "manifest.json").read_text())["sessions"]) == 2


@pytest.mark.parametrize("read", [load_run, store], ids=["load_run", "resume"])
def test_a_newer_schema_is_refused_by_name(tmp_path: Path, read: Any) -> None:
    filled(tmp_path, 1)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(RecordError, match=r"schema 2.*reads schema 1.*upgrade"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}'])
def test_a_broken_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    filled(tmp_path, 1)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RecordError, match=r"manifest\.json"):
        store(tmp_path)


def test_a_damaged_line_before_finished_units_is_named_and_not_cut(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"\0" * len(second[:-1]) + b"\n" + third)
    for read in (load_run, store):
        with pytest.raises(RecordError, match=r"line 2 of .*damaged"):
            read(tmp_path)
    assert path.stat().st_size == len(first + second + third)


def test_a_folder_of_other_records_is_no_run_to_resume(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="no manifest"):
        store(tmp_path)


@pytest.mark.parametrize("there", [None, "file"])
def test_what_is_no_folder_of_records_is_refused(tmp_path: Path, there: str | None) -> None:
    if there:
        (tmp_path / "run").write_text("")
    with pytest.raises(RecordError):
        load_run(tmp_path / "run")


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with store(tmp_path) as run:
        with pytest.raises(OutputError, match=f"process {os.getpid()}"):
            store(tmp_path)
        run.save(completion(0))
    with store(tmp_path) as again:
        assert again.saved == 1


@pytest.fixture
def lift_limit() -> Iterator[Callable[[], None]]:
    """No file of this process may grow beyond a few lines, until this is called: a full disk of another errno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    lift = partial(resource.setrlimit, resource.RLIMIT_FSIZE, before)
    yield lift
    lift()


def test_a_write_that_fails_leaves_whole_units_and_is_resumed(tmp_path: Path, lift_limit: Callable[[], None]) -> None:
    run = store(tmp_path)
    with pytest.raises(OutputError, match="File too large"):
        for number in range(UNITS):
            run.save(completion(number))
    saved = run.saved
    run.close()
    assert 0 < saved < UNITS
    assert (tmp_path / "records.jsonl").read_bytes().endswith(b"\n")
    assert load_run(tmp_path)[1:] == [completion(number) for number in range(saved)]
    lift_limit()
    with store(tmp_path) as again:
        for number in range(saved, UNITS):
            again.save(completion(number))
    assert load_run(tmp_path)[1:] == [completion(number) for number in range(UNITS)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounting.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounting.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_whole_units_and_goes_on_after_room_is_made(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    run = store(small_disk / "run")
    with pytest.raises(OutputError, match="No space left on device; make room"):
        for number in range(10_000):
            run.save(completion(number))
    saved = run.saved
    run.close()
    assert load_run(small_disk / "run")[1:] == [completion(number) for number in range(saved)]
    with pytest.raises(OutputError, match="No space left"):
        store(small_disk / "other")
    ballast.unlink()
    with store(small_disk / "run") as again:
        again.save(completion(saved))
    assert load_run(small_disk / "run")[1:] == [completion(number) for number in range(saved + 1)]


def test_an_fsync_that_fails_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store(tmp_path)
    run.save(completion(0))
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, os.strerror(errno.EIO))))
    run.save(completion(1))
    with pytest.raises(OutputError, match="Input/output error"):
        run.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        store(tmp_path / "run")


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(NegtempError, match="File exists"):
        store(tmp_path / "run")


def test_reading_a_run_needs_no_library(tmp_path: Path) -> None:
    with store(tmp_path) as run:
        run.save(completion(0))
        run.save(Failure(
            sequence=1, prompt="p", temperature=Temperature.of(1), seed=1, reason="why", unit="0" * 16, run_seed=1,
            repeat=0,
        ))  # fmt: skip
    code = "import sys, negtemp; print(len(negtemp.load_run(sys.argv[1])), 'llama_cpp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]


@pytest.mark.parametrize("fault", ["deleted", "moved", "replaced"])
def test_a_folder_that_goes_away_ends_the_run_and_what_it_holds_stays_whole(tmp_path: Path, fault: str) -> None:
    """What is written after that nobody would find; every unit is there once when the run is done again."""
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    with store(folder) as writing:
        writing.save(completion(0))
        if fault == "deleted":
            shutil.rmtree(folder)
        elif fault == "moved":
            folder.rename(elsewhere)
        else:  # as NFS renames a file that is open
            (folder / "records.jsonl").rename(folder / ".nfs0001")
        with pytest.raises(OutputError, match="was moved, replaced or deleted"):
            writing.save(completion(1))
    kept = elsewhere if fault == "moved" else folder
    with store(kept) as again:
        assert again.saved == (1 if fault == "moved" else 0)
        for number in range(UNITS):
            if f"{number:016x}" not in again.finished:
                again.save(completion(number))
    units = [record.unit for record in load_run(kept) if isinstance(record, Completion)]
    assert sorted(map(str, units)) == [f"{number:016x}" for number in range(UNITS)]
