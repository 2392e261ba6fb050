"""A model reference to a file: what can be told before llama.cpp sees it."""

import struct
from pathlib import Path

import pytest

from negtemp.errors import ModelError
from negtemp.model import model_file
from negtemp.model.library import Library
from negtemp.model.llama.model import Model

HEADER = struct.Struct("<4sIQQ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"GGUF", "cut off after 4 bytes"),
        (b"\x7fELF" + bytes(60), "no GGUF file"),
        (HEADER.pack(b"GGUF", 1, 0, 0) + bytes(60), "version 1"),
        (HEADER.pack(b"GGUF", 3, 2**62, 5) + bytes(60), "cut off or corrupt"),
        (HEADER.pack(b"GGUF", 3, 1, 2**63) + bytes(60), "cut off or corrupt"),
    ],
    ids=["empty", "four-bytes", "elf", "old", "huge-tensors", "huge-metadata"],
)
def test_a_file_that_cannot_be_a_model_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        model_file.check(path)
    assert "\n" not in str(caught.value)


def test_a_folder_and_nothing_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder"):
        model_file.check(tmp_path)
    with pytest.raises(ModelError, match="no model file"):
        model_file.check(tmp_path / "none.gguf")


def test_a_hostile_file_name_is_shown_safely(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        model_file.check(tmp_path / "\x1b[31m\u202ered\n.gguf")
    assert str(caught.value).isprintable()


def test_no_reference_means_the_bundled_model() -> None:
    assert model_file.resolve(None) == model_file.bundled()


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m.gguf").write_bytes(HEADER.pack(b"GGUF", 3, 0, 0))
    assert model_file.resolve("~/m.gguf") == tmp_path / "m.gguf"


def test_the_home_of_nobody_is_no_file() -> None:
    with pytest.raises(ModelError, match="~no such user"):
        model_file.resolve("~no such user/m.gguf")


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_model_is_refused_with_llama_cpps_reason(compiled: Library, tmp_path: Path, kept: float) -> None:
    whole = model_file.bundled().read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ModelError) as caught:
        Model(compiled, path)
    assert "\n" not in str(caught.value)
