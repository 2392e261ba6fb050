"""The table of a vocabulary: what is kept says what the library says, and nothing else is ever taken for it."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from models import CONTROL, UNUSED, USER_DEFINED, spm_vocabulary, write_llama

from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.model.tokens import table
from negtemp.model.tokens.categories import token_categories

VOCABULARY = [
    *spm_vocabulary([b"a", b"ab", b"abc", "▁ab".encode(), b"\xe6\x97"]),
    (b"<|reserved_special_token_0|>", CONTROL), (b"<own>", USER_DEFINED), (b"never", UNUSED),
]  # fmt: skip


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "negtemp"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_llama(tmp_path / "m.gguf", VOCABULARY, layers=1, width=8)


def facts(model: Model) -> list[object]:
    """All that the table tells."""
    vocabulary = model.vocabulary
    return [
        token_categories(vocabulary), vocabulary.pieces(), vocabulary.categories(), vocabulary.end_tokens,
        vocabulary.named_unused(), vocabulary.in_categories(["unused", "byte"]),
    ]  # fmt: skip


def entry(cache: Path) -> Path:
    (found,) = cache.glob("vocabulary-*.bin")
    return found


def test_what_is_kept_says_what_the_library_says(compiled: Library, path: Path, cache: Path) -> None:
    with Model(compiled, path) as first, Model(compiled, path) as second:
        made = facts(first)
        assert second.vocabulary.table is not None
        assert facts(second) == made
        vocabulary = second.vocabulary
        assert [vocabulary.piece(one) for one in range(vocabulary.size)] == made[1]


def test_it_is_kept_once_for_all_files_of_one_vocabulary(compiled: Library, path: Path, cache: Path) -> None:
    """Another quantisation has the same tokenizer and other weights."""
    other = write_llama(path.with_name("n.gguf"), VOCABULARY, layers=1, width=16, seed=5)
    for one in (path, other):
        with Model(compiled, one) as model:
            token_categories(model.vocabulary)
    assert entry(cache)


def test_another_vocabulary_is_another_table(compiled: Library, path: Path, cache: Path) -> None:
    """Scores decide what is joined: without a change in any token the categories may be others."""
    other = write_llama(path.with_name("n.gguf"), VOCABULARY, layers=1, width=8, scores=[0.0] * len(VOCABULARY))
    for one in (path, other):
        with Model(compiled, one) as model:
            token_categories(model.vocabulary)
    assert len(list(cache.glob("vocabulary-*.bin"))) == 2


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def changed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)


def foreign(file: Path) -> None:
    file.write_bytes(b"something else entirely" * 99)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [truncated, emptied, changed, foreign, folder])
def test_a_damaged_table_is_made_again(
    compiled: Library, path: Path, cache: Path, damage: Callable[[Path], None]
) -> None:
    with Model(compiled, path) as model:
        made = facts(model)
    damage(entry(cache))
    with Model(compiled, path) as model:
        assert model.vocabulary.table is None
        assert facts(model) == made


def test_the_table_of_another_vocabulary_under_this_name_is_not_taken(
    compiled: Library, path: Path, cache: Path
) -> None:
    other = write_llama(path.with_name("n.gguf"), VOCABULARY[:-1], layers=1, width=8)
    with Model(compiled, path) as model:
        made = facts(model)
    name = entry(cache)
    name.unlink()
    with Model(compiled, other) as model:
        token_categories(model.vocabulary)
    entry(cache).rename(name)
    with Model(compiled, path) as model:
        assert model.vocabulary.table is None
        assert facts(model) == made


def test_a_cache_folder_that_takes_nothing_is_no_failure(
    compiled: Library, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with Model(compiled, path) as model:
        assert token_categories(model.vocabulary)[3 + 256] == "normal"
        assert model.vocabulary.pieces()[3 + 256] == b"a"


def test_two_processes_at_once_leave_one_whole_table(compiled: Library, path: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from negtemp.model import library; "
        "from negtemp.model.llama.model import Model; from negtemp.model.tokens.categories import token_categories\n"
        "with Model(library.load(), Path(sys.argv[1])) as model: print(hash(tuple(token_categories(model.vocabulary))))"
    )
    command = [sys.executable, "-c", code, str(path)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(2)]
    answers = {each.communicate()[0] for each in running}
    assert len(answers) == 1 and all(each.returncode == 0 for each in running)
    assert os.listdir(cache) == [entry(cache).name]
    with Model(compiled, path) as model:
        assert model.vocabulary.table is not None


def test_the_digest_is_of_the_tokenizer_alone(path: Path, tmp_path: Path) -> None:
    same = write_llama(tmp_path / "n.gguf", VOCABULARY, layers=2, width=16, seed=9)
    other = write_llama(tmp_path / "o.gguf", VOCABULARY, layers=1, width=8, space_prefix=False)
    assert table.digest(path, "1") == table.digest(same, "1") is not None
    assert len({table.digest(path, "1"), table.digest(path, "2"), table.digest(other, "1")}) == 3


@pytest.mark.parametrize("head", [b"", b"GGUF", b"GGUX" + bytes(40), b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63)])
def test_a_head_that_cannot_be_read_has_no_digest(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(head)
    assert table.digest(tmp_path / "m.gguf", "1") is None
    assert table.digest(tmp_path / "none.gguf", "1") is None


def test_no_cut_of_a_head_has_a_digest(path: Path, tmp_path: Path) -> None:
    """A value that the file does not hold to its end is none."""
    whole, cut = path.read_bytes(), tmp_path / "cut.gguf"
    for size in range(24, 2000, 37):
        cut.write_bytes(whole[:size])
        assert table.digest(cut, "1") is None
