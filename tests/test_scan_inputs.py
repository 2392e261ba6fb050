"""What a scan reads: encodings, marks, line ends, pipes, archives and Parquet; and what it refuses, in one line."""

import bz2
import gzip
import io
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scan import Found, token

from negtemp.errors import EncodingError, ScanError, UsageError
from negtemp.experiments import scan as scanning
from negtemp.experiments.scan import Scanner
from negtemp.records import Occurrence, Scanned
from negtemp.records.audit import Lines
from negtemp.texts import blocks, encodings, inputs, reading

zstd = inputs.zstd()

NEEDLES = ["needle", "né", "жж", "le n", "\u00e9e"]
WORDS = st.one_of(
    st.sampled_from([*NEEDLES, "hay", " ", "dle", "\t", "ж"]), st.text(st.characters(codec="latin-1"), max_size=3)
)
LINES = st.lists(
    st.lists(WORDS, max_size=6).map("".join).map(lambda text: text.translate(dict.fromkeys(b"\n\r\0"))), max_size=8
)


def found_in(path: Path, encoding: str | None = None) -> Found:
    tokens = [token(None, needle.encode()) for needle in NEEDLES]
    *found, whole = Scanner(tokens, None).scan(path, encoding)
    assert isinstance(whole, Scanned)
    return {one.raw: one for one in found if isinstance(one, Occurrence)}, whole


def naive(lines: list[str]) -> dict[bytes, tuple[int, tuple[int, ...]]]:
    """How often each needle stands in the lines, overlapping, and the first five of these."""
    expected = {}
    for needle in NEEDLES:
        counts = [sum(line.startswith(needle, i) for i in range(len(line))) for line in lines]
        if sum(counts):
            where = [number for number, count in enumerate(counts, start=1) if count]
            expected[needle.encode()] = (sum(counts), tuple(where[:5]))
    return expected


def counted(found: Found) -> dict[bytes, tuple[int, tuple[int, ...]]]:
    return {raw: (one.strings, one.lines) for raw, one in found[0].items()}


@settings(max_examples=60)
@given(
    LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 40), st.integers(1, 20),
    st.sampled_from([None, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "gb18030"]),
)  # fmt: skip
def test_every_encoding_and_line_end_gives_what_a_naive_search_gives(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, ended: bool, chunk: int, longest: int,
    encoding: str | None,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("scan") / "text.txt"
    path.write_bytes((end.join(lines) + (end if ended else "")).encode(encoding or "utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_CHUNK", chunk)
        patch.setattr(blocks, "LONGEST_TEXT", longest)
        patch.setattr(scanning, "LONGEST_TEXT", 16)
        assert counted(found_in(path, encoding)) == naive(lines)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["text.txt", "text.jsonl", "text"])
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes('["needle"]\nneedle\n'.encode(encoding) if name != "text.txt" else "needle".encode(encoding))
    found, whole = found_in(path)
    assert found[b"needle"].lines[0] == 1
    assert whole.encoding == {"utf-8-sig": "utf-8"}.get(encoding, f"{encoding}-le")
    if name == "text.txt":
        *_, spaced = Scanner([token(None, b"\xef\xbb\xbf")], None).scan(path)
        assert isinstance(spaced, Scanned) and spaced.strings == 0


def test_json_may_be_utf_16_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes('{"a": "needle"}'.encode("utf-16-be"))
    assert found_in(path)[1].encoding == "utf-16-be"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("субота".encode("cp1251"), "is not UTF-8 text: byte 0xf1 at offset 0"),
        (b"caf\xe9", "is not UTF-8 text: byte 0xe9 at offset 3"),
        (b"a" * (5 << 20) + b"\xff tail", f"is not UTF-8 text: byte 0xff at offset {5 << 20}"),
        ("é".encode() * 1000 + b"\xc3", "is not UTF-8 text: byte 0xc3 at offset 2000"),
        (b"\xed\xa0\x80", "is not UTF-8 text: byte 0xed at offset 0"),
        (b"\x7fELF\x01\0", "is not UTF-8 text: it holds a zero byte at offset 6"),
        ("needle".encode("utf-16-le"), "it holds a zero byte at offset 1; it may be utf-16-le"),
        ("needle".encode("utf-16")[:-1], "is not UTF-16-LE text: byte 0x65 at offset 12"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_the_first_wrong_byte(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    with pytest.raises(EncodingError) as refused:
        found_in(path)
    assert reason.replace("offset 6", f"offset {data.find(0)}") in str(refused.value)


def test_a_wrong_byte_of_another_encoding_is_told_by_its_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_CHUNK", 7)
    path = tmp_path / "text.txt"
    path.write_bytes(("日本" * 10).encode("shift-jis") + b"\xff")
    with pytest.raises(EncodingError, match="not SHIFT_JIS text: byte 0xff at offset 40"):
        found_in(path, encodings.known("shift-jis"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("utf9", "did you mean utf-?8"),
     ("utf16le8", "did you mean utf-16le"), ("latin9000", "did you mean latin-?9"), ("base64", "no encoding of files"),
     ("idna", "no encoding"), ("a\0b", "no known"), ("", "no known"), ("../x", "no known"), ("\udcff", "no known")],
)  # fmt: skip
def test_an_unknown_encoding_is_refused_with_the_nearest(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        encodings.known(name)


def test_lines_of_json_with_wrong_bytes_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": "n\\u0065edle \xff"}\n{"a": "needle"}\n{"a": "\xffneedle"}\n')
    found, whole = found_in(path)
    assert found[b"needle"].strings == 3
    assert whole.not_utf_8 == Lines(count=2, first=(1, 3)) and whole.not_json is None


def test_lines_that_are_no_json_are_searched_as_text_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "n\\u0065edle"}\nplain needle\n{"a": "needle')
    found, whole = found_in(path)
    assert found[b"needle"].strings == 3
    assert whole.not_json == Lines(count=2, first=(2, 3)) and whole.not_utf_8 is None


PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
}


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("name", ["rows.jsonl{}", "rows{}", "rows.jsonl"])
def test_an_archive_is_read_as_what_is_in_it(tmp_path: Path, ending: str, name: str) -> None:
    """By its bytes, whatever it is called; two archives one behind the other are one text."""
    data = b'{"a": "n\\u0065edle"}\n'
    path = tmp_path / name.format(ending)
    path.write_bytes(PACKED[ending](data) + PACKED[ending](data))
    found, whole = found_in(path)
    assert found[b"needle"].lines == (1, 2)
    assert (whole.size, whole.layout) == (path.stat().st_size, "json")


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-5], "is cut off"),
        (lambda data: data[: len(data) // 2], "is cut off"),
        (lambda data: data[:20] + bytes(byte ^ 0x5A for byte in data[20:60]) + data[60:], "is corrupt|not UTF-8|cut"),
        (lambda data: b"", "is no .* archive"),
        (lambda data: b"needle", "is no .* archive"),
    ],
)
def test_a_spoilt_archive_is_one_line(
    tmp_path: Path, ending: str, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    path = tmp_path / f"text.txt{ending}"
    path.write_bytes(spoil(PACKED[ending](os.urandom(5000).hex().encode())))
    with pytest.raises(ScanError, match=reason) as refused:
        found_in(path)
    assert "\n" not in str(refused.value)


def test_other_archives_are_named(tmp_path: Path) -> None:
    path = tmp_path / "text.xz"
    path.write_bytes(b"\xfd7zXZ\0\0")
    with pytest.raises(ScanError, match="is an xz archive, which is not read here"):
        found_in(path)


def test_a_line_of_100_mb_out_of_a_small_archive_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.txt.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"first\n")
        for _ in range(100):
            file.write(b"x" * 999_993 + b"needle ")
        file.write(b"\nneedle")
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    found, whole = found_in(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found[b"needle"].strings, found[b"needle"].lines, whole.texts) == (101, (2, 3), 3)
    assert peak < 100_000_000


def test_a_missing_package_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for name in ("a.zst", "a.parquet"):
        (tmp_path / name).write_bytes(zstd.compress(b"text"))
        for read in (found_in, reading.check):
            with pytest.raises(ScanError, match=r"pip install 'negtemp\[scan\]'"):
                read(tmp_path / name)


def table() -> pyarrow.Table:
    return pyarrow.table({
        "text": ["a needle", None, "needle"],
        "list": [["hay", "needle"], [], None],
        "struct": [{"s": "needle", "n": 1}, None, {"s": None, "n": 2}],
        "map": pyarrow.array([[("needle", "жж")], None, []], pyarrow.map_(pyarrow.string(), pyarrow.string())),
        "coded": pyarrow.array(["né", "né", "hay"]).dictionary_encode(),
        "large": pyarrow.array(["hay", "need", "le"], pyarrow.large_string()),
        "binary": [b"needle", b"\xff", None],
        "number": [1, 2, 3],
    })  # fmt: skip


def test_the_strings_of_parquet_are_texts_and_rows_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(table(), path)
    found, whole = found_in(path)
    assert (found[b"needle"].strings, found[b"needle"].lines) == (4, (1, 3))
    assert found["жж".encode()].lines == (1,)
    assert found["né".encode()].lines == (1, 2)
    assert (whole.layout, whole.texts, whole.size) == ("parquet", 12, path.stat().st_size)


def test_rows_of_parquet_are_numbered_over_batches_and_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = ["needle" if number % 700 == 0 else "hay" for number in range(1, 5001)]
    pyarrow.parquet.write_table(pyarrow.table({"a": rows}), path, row_group_size=900)
    found, whole = found_in(path)
    assert (found[b"needle"].lines, found[b"needle"].strings, whole.texts) == ((700, 1400, 2100, 2800, 3500), 7, 5000)


def test_spoilt_parquet_is_one_line(tmp_path: Path) -> None:
    out = io.BytesIO()
    pyarrow.parquet.write_table(table(), out)
    data, path = out.getvalue(), tmp_path / "rows.parquet"
    for spoilt in (data[:-20], data[: len(data) // 2], b"", b"PAR1", data[:4] + bytes(200) + data[204:]):
        path.write_bytes(spoilt)
        with pytest.raises(ScanError) as refused:
            found_in(path)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading.check(path)
    writer = threading.Thread(target=path.write_bytes, args=(b'{"a": "n\\u0065edle"}\n' * 3,))
    writer.start()
    found, whole = found_in(path)
    writer.join()
    assert found[b"needle"].lines == (1, 2, 3)
    assert (whole.layout, whole.size) == ("json", 63)


def test_parquet_out_of_a_pipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"PAR1\0",))
    writer.start()
    with pytest.raises(ScanError, match="cannot be read out of a pipe"):
        found_in(path)
    writer.join()


@pytest.mark.parametrize(
    ("name", "data", "layout"),
    [
        ("a.txt", '{"a": "n\\u0065edle"}', "text"), ("a.log", '{"a": "n\\u0065edle"}', "json"),
        ("a", '{"a": "n\\u0065edle"}', "json"), ("a", "[needle] hay", "text"), ("A.JSONL", '"needle"', "json"),
        ("a.jsonl.1", '"needle"', "json"), ("a.json", '[\n"needle"\n]', "json"),
    ],
)  # fmt: skip
def test_the_layout_is_told_by_the_name_or_the_beginning(tmp_path: Path, name: str, data: str, layout: str) -> None:
    path = tmp_path / name
    path.write_text(data)
    found, whole = found_in(path)
    assert whole.layout == layout
    assert (b"needle" in found) == (layout == "json" or "needle" in data)


def test_closed_standard_input_is_one_line() -> None:
    code = (
        "from pathlib import Path; from negtemp.experiments.scan import Scanner\n"
        "try: list(Scanner([], None).scan(Path('-')))\nexcept Exception as error: print(error)"
    )
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&-', sys.executable, code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "standard input is closed; name a file\n"
