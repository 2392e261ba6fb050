"""The identity of a model covers every byte of every file, is cheap to ask for again, and is what a run is held to."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import gguf
import numpy as np
import pytest
from models import spm_vocabulary, write_llama

from negtemp.cli import token_selection
from negtemp.errors import ModelError
from negtemp.model.fingerprint import fingerprint
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.records import EngineBuild, Header, ModelFile
from negtemp.runs.manifest import differences

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def settled(path: Path, data: bytes) -> Path:
    """A file that has not changed for long, as far as its own times say."""
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def split_model(folder: Path, change: bool = False, tensors_in_first: bool = False) -> Path:
    """The first of two files of one small model; with `change` only the second file differs."""
    folder.mkdir()
    whole = write_llama(folder / "whole.gguf", spm_vocabulary([b"a", b"b"]), seed=1)
    reader = gguf.GGUFReader(whole)
    writer = gguf.GGUFWriter(
        folder / "m.gguf", "llama", split_max_tensors=5 if tensors_in_first else 1000,
        small_first_shard=not tensors_in_first,
    )  # fmt: skip
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub)
    for tensor in reader.tensors:
        data = np.array(tensor.data)
        writer.add_tensor(tensor.name, data[::-1].copy() if change and tensor.name == "blk.1.ffn_down.weight" else data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    whole.unlink()
    return sorted(folder.glob("m-00001-of-*.gguf"))[0]


def test_of_one_file_it_is_the_files_sha256(tmp_path: Path) -> None:
    path = settled(tmp_path / "m", b"some bytes" * 300_000)
    assert fingerprint([path]) == hashlib.sha256(b"some bytes" * 300_000).hexdigest()


def test_of_several_it_is_the_sha256_of_their_digests_in_order(tmp_path: Path) -> None:
    paths = [settled(tmp_path / name, name.encode()) for name in ("a", "b")]
    lines = "".join(f"{hashlib.sha256(name).hexdigest()}\n" for name in (b"a", b"b"))
    assert fingerprint(paths) == hashlib.sha256(lines.encode()).hexdigest()
    assert fingerprint(paths[::-1]) != fingerprint(paths)


@pytest.mark.parametrize("place", [0, 1, 65_536, 5_000_000, 9_999_999])
def test_no_byte_of_a_large_file_is_passed_over(tmp_path: Path, place: int) -> None:
    data = bytearray(10_000_000)
    before = fingerprint([settled(tmp_path / "before", bytes(data))])
    data[place] = 1
    assert fingerprint([settled(tmp_path / "after", bytes(data))]) != before


def test_a_file_is_read_once_and_again_once_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def watch(blocks: Iterable[None], total: int, what: str) -> Iterable[object]:
        read.append(total)
        return blocks

    # the inode's own time cannot be set, so the clock goes on instead
    monkeypatch.setattr("time.time_ns", lambda: os.stat(tmp_path).st_ctime_ns + 60 * 10**9)
    path = settled(tmp_path / "m", b"first")
    first = fingerprint([path], watch)
    assert fingerprint([path], watch) == first and read == [1]
    settled(path, b"other")  # the same size, the same time of change
    assert fingerprint([path], watch) != first and read == [1, 1]


def test_what_has_just_changed_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"new")
    fingerprint([path])
    assert not list(cache.rglob("*.json"))


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"files": 1}', b"\xff", b'{"files": [], "sha256": null}'])
def test_a_damaged_memory_is_none(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes) -> None:
    monkeypatch.setattr("time.time_ns", lambda: os.stat(tmp_path).st_ctime_ns + 60 * 10**9)
    path = settled(tmp_path / "m", b"bytes")
    before = fingerprint([path])
    (entry,) = cache.rglob("*.json")
    entry.write_bytes(kept)
    assert fingerprint([path]) == before


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = settled(tmp_path / "m", bytes(3_000_000))

    def watch(blocks: Iterable[None], total: int, what: str) -> Iterable[object]:
        for number, block in enumerate(blocks):
            if number == 1:
                path.write_bytes(bytes(3_000_001))
            yield block

    with pytest.raises(ModelError, match="changes while it is read"):
        fingerprint([path], watch)


@pytest.mark.parametrize("tensors_in_first", [False, True])
def test_models_that_differ_in_a_later_part_differ(compiled: Library, tmp_path: Path, tensors_in_first: bool) -> None:
    paths = [split_model(tmp_path / str(change), change, tensors_in_first) for change in (False, True)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Model(compiled, paths[0]) as one, Model(compiled, paths[1]) as other:
        assert one.fingerprint() != other.fingerprint()
        assert len(one.files) >= 2


def test_a_model_that_is_replaced_after_it_was_loaded_is_not_taken_for_it(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", spm_vocabulary([b"a"]))
    with Model(compiled, path) as model:
        write_llama(tmp_path / "new.gguf", spm_vocabulary([b"a"]), seed=1).replace(path)
        with pytest.raises(ModelError, match="has changed since it was loaded"):
            model.fingerprint()


def test_a_missing_part_is_named(compiled: Library, tmp_path: Path) -> None:
    first = split_model(tmp_path / "split")
    last = sorted(first.parent.iterdir())[-1]
    last.unlink()
    with pytest.raises(ModelError, match=f"{last.name} is missing") as caught:
        Model(compiled, first)
    assert "\n" not in str(caught.value)


def test_a_later_part_says_which_is_the_first(compiled: Library, tmp_path: Path) -> None:
    first = split_model(tmp_path / "split")
    with pytest.raises(ModelError, match=f"not the first part of its model; give .*{first.name}"):
        Model(compiled, sorted(first.parent.iterdir())[-1])


def test_a_whole_model_may_be_named_like_a_part(compiled: Library, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m-00001-of-00003.gguf", spm_vocabulary([b"a"]))
    with Model(compiled, path) as model:
        assert model.files == [path]


def test_a_sweep_does_not_go_on_with_another_models_units(tmp_path: Path) -> None:
    """The case of public reports: the second of two files was replaced between two sittings."""
    here, run = split_model(tmp_path / "s"), tmp_path / "run"
    ask = [NEGTEMP, "sweep", "-m", str(here), "-p", "a", "--betas=-1,1", "-n", "2", "-o", str(run)]
    subprocess.run(ask, check=True, capture_output=True)
    records = (run / "records.jsonl").read_text().splitlines(keepends=True)
    (run / "records.jsonl").write_text(records[0])
    other = split_model(tmp_path / "other", change=True)
    for part in other.parent.iterdir():
        part.replace(here.with_name(part.name))
    done = subprocess.run(ask, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is a run of other settings: model: " in done.stderr
    assert (run / "records.jsonl").read_text() == records[0]


def header(fingerprint: str = "a" * 64, fingerprint_kind: str | None = None) -> Header:
    model = ModelFile(
        name="m", description="", vocabulary=1, file="m.gguf", fingerprint=fingerprint,
        fingerprint_kind=fingerprint_kind,
    )  # fmt: skip
    engine = EngineBuild(llama_cpp_python="0", patches=(), patched=True)
    return Header(negtemp="0.1.0", command="sweep", model=model, engine=engine, settings={})


def test_a_run_that_knew_a_sample_of_its_model_is_plainly_refused() -> None:
    old, new = header(), header(fingerprint_kind="sha256")
    (said,) = differences(old, new)
    assert "a sample of its first file" in said
    (warning,) = token_selection.warnings(old, new)
    assert "cannot be told" in warning


def test_two_models_whose_digests_begin_alike_differ() -> None:
    assert differences(header(), header(fingerprint="a" * 63 + "b"))


def test_a_saved_header_says_what_its_fingerprint_covers(tmp_path: Path) -> None:
    done = subprocess.run([NEGTEMP, "run", "-n", "1", "--json"], check=True, capture_output=True, text=True)
    model = json.loads(done.stdout.splitlines()[0])["model"]
    from negtemp.model import model_file

    assert model["fingerprint"] == hashlib.sha256(model_file.bundled().read_bytes()).hexdigest()
    assert model["fingerprint_kind"] == "sha256"
