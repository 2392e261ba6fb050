"""A text as editors, shells and pipes hand it over."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negtemp.errors import PromptError, UsageError
from negtemp.text_input import read_text

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))


def written(folder: Path, data: bytes) -> Path:
    path = folder / "text"
    path.write_bytes(data)
    return path


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_a_marked_text_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str
) -> None:
    if encoding == "utf-8" and text.startswith("\ufeff"):
        text = text[1:] + "x"  # that mark is the very thing that is taken off
    path = written(tmp_path_factory.mktemp("text"), text.encode(encoding))
    assert read_text(path, "the text") == text


def test_big_endian_texts_read_as_well(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, b"\xfe\xff\x00h\x00i"), "the text") == "hi"
    assert read_text(written(tmp_path, b"\x00\x00\xfe\xff\x00\x00\x00h"), "the text") == "h"


def test_only_one_mark_is_taken_off(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, "\ufeff\ufeffx".encode()), "the text") == "\ufeffx"


def test_line_ends_and_nul_characters_stay(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, b"a\r\nb\rc\0\n"), "the text") == "a\r\nb\rc\0\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"caf\xe9", r"the plan .* is not UTF-8: byte 0xe9 at offset 3"),
        (b"\xef\xbb\xbfa\xff", "is not UTF-8: byte 0xff at offset 4"),
        (b"\xed\xa0\x80", "is not UTF-8: byte 0xed at offset 0"),
        (b"\xff\xfeh\x00i", "is not UTF-16: byte 0x69 at offset 4"),
        (b"\xff\xfe\x00\x00\x00\x00\x11\x00", "is not UTF-32: byte 0x00 at offset 4"),
    ],
)
def test_what_is_no_text_is_refused_with_its_first_bad_byte(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_text(written(tmp_path, data), "the plan")


def test_a_missing_file_and_a_folder_are_refused_in_the_callers_words(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"cannot read the prompt file .*: No such file"):
        read_text(tmp_path / "none\n", "the prompt file", PromptError)
    with pytest.raises(PromptError, match=r"cannot read the prompt file .*: Is a directory"):
        read_text(tmp_path, "the prompt file", PromptError)


def test_a_named_pipe_reads_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\xef\xbb\xbfhello\n",))
    writer.start()
    assert read_text(pipe, "the text") == "hello\n"
    writer.join()
