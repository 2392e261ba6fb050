"""The strings of JSON in every layout, beside a reader that goes character by character; and JSON that is none."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negtemp.texts import blocks, json_strings
from negtemp.texts.json_strings import SEPARATOR, JsonStrings, begins_json
from negtemp.texts.reading import Noted

Strings = list[tuple[int, str]]

# every character that JSON or our reader treats apart, and some that only look so
LETTERS = st.one_of(
    st.sampled_from('ab \\"/\b\f\n\r\t\x00\x1e{}[]:,é日😀\ufeff\u2028\ud83d\ude00\udcff\ufffd'), st.characters()
)
TEXTS = st.text(LETTERS, max_size=12)
SCALARS = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats())
Pairs = tuple[tuple[str, Any], ...]
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        # pairs, since names may come twice
        st.lists(st.tuples(TEXTS, inner), max_size=4).map(tuple),
    ),
    max_leaves=8,
)


def dumped(value: Any, ascii_only: bool, space: str) -> str:
    """A value as JSON, with this white space wherever some may stand."""
    if isinstance(value, tuple):
        inside = f"{space},{space}".join(
            f"{dumped(name, ascii_only, space)}{space}:{space}{dumped(item, ascii_only, space)}" for name, item in value
        )
        return "{" + space + inside + space + "}"
    if isinstance(value, list):
        return "[" + f"{space},".join(dumped(item, ascii_only, space) for item in value) + space + "]"
    text = json.dumps(value, ensure_ascii=ascii_only)
    return text if ascii_only else re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def laid_out(values: Sequence[Any], layout: str, ascii_only: bool) -> str:
    """The same values, as data sets are written."""
    space = {"pretty": "\n  ", "wide": " \r\n\t"}.get(layout, "")
    each = [dumped(value, ascii_only, space) for value in values]
    if layout in ("array", "pretty", "wide"):
        return f"[{space}{f',{space}'.join(each)}{space}]"
    between = {"lines": "\n", "crlf": "\r\n", "commas": ",\n", "joined": " ", "records": "\n\x1e", "blank": "\n\n \n"}
    return between[layout].join(each) + ("\n" if layout != "commas" else "")


def naive(text: str) -> Strings:
    """Every string that is no name, with the line in which it begins: character by character."""
    found, line, place = [], 1, 0
    while place < len(text):
        if text[place] == "\n":
            line += 1
        if text[place] == '"':
            end = place + 1
            while text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            if not text[end + 1 :].lstrip().startswith(":"):
                value = json.loads(text[place : end + 1], strict=False)
                found.append((line, re.sub("[\ud800-\udfff]", "\ufffd", value)))
            place = end
        place += 1
    return found


def read(data: bytes, sizes: Sequence[int]) -> tuple[Strings, Noted]:
    """What our reader finds, given in chunks of whole characters of about these sizes, and the lines that are none."""
    unread = Noted()
    texts: list[tuple[int, bytes]] = []
    for block in JsonStrings(unread).blocks(chunks(data, sizes)):
        parts = block.data.split(SEPARATOR) if block.lines else []
        assert len(parts) == len(block.lines)
        if block.continues:
            line, begun = texts.pop()
            assert line == block.lines[0]
            parts[0] = begun + parts[0]
        texts += zip(block.lines, parts, strict=True)
    return [(line, text.decode()) for line, text in texts], unread


def chunks(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    text, start = data.decode(), 0
    while start < len(text):
        for size in sizes or [len(text)]:
            if start < len(text):
                yield text[start : start + size].encode()
            start += size


LAYOUTS = ["array", "pretty", "wide", "lines", "crlf", "commas", "joined", "records", "blank"]


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=40)
@given(st.lists(VALUES, max_size=5), st.booleans(), st.lists(st.integers(1, 40), max_size=4), st.integers(1, 30))
def test_every_layout_gives_the_strings_and_lines_that_a_naive_reader_gives(
    layout: str, values: list[Any], ascii_only: bool, sizes: list[int], longest: int
) -> None:
    text = laid_out(values, layout, ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_strings, "LONGEST_TEXT", 1 << 21)
        assert read(text.encode(), sizes) == (naive(text), Noted())
        # names longer than a block are taken for values
        patch.setattr(json_strings, "LONGEST_TEXT", 200 + longest)
        assert read(text.encode(), sizes) == (naive(text), Noted())


@given(st.lists(TEXTS, min_size=1, max_size=5), st.booleans(), st.lists(st.integers(1, 40), max_size=4))
def test_strings_longer_than_a_block_are_whole(texts: list[str], ascii_only: bool, sizes: list[int]) -> None:
    text = dumped([one * 5 for one in texts], ascii_only, " ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_strings, "LONGEST_TEXT", 4)
        assert read(text.encode(), sizes) == (naive(text), Noted())


@given(st.text(st.one_of(st.sampled_from('\n\n"\\:,{}[]1ut'), st.characters(codec="utf-8")), max_size=60))
def test_whatever_is_no_json_is_noted_or_read_as_the_naive_reader_does(text: str) -> None:
    found, unread = read(text.encode(), [])
    if not unread.count:
        assert found == naive(text)
    assert [line for line, _ in found] == sorted(line for line, _ in found)
    if "\\" not in text and unread.count:
        # nothing is lost: every letter outside of a name stands in some text
        letters = "".join(part for _, part in found)
        names = "".join(re.findall(r'"([^"\n]*)"\s*:', text))
        literals = re.sub("[^\\w]|true|false|null|[0-9]", "", text)
        assert set(literals) <= set(letters) | set(names)


@pytest.mark.parametrize(
    ("data", "found", "lines"),
    [
        ('{"a": "x"\n{"b": "y"}\n', ["x", "y"], []),
        ('{"a": "torn\n{"b": "y"}\n', ["a", "torn", "y"], [1]),
        ('{"a": "x"}\n{"b": "tor', ["x", "b", "tor"], [2]),
        ('{"a": "x"}\nprose\n{"b": "y"}\n', ["x", "prose", "y"], [2]),
        ('{"a": "\\x41 \\u12"}\n{"b": "y"}\n', ["a", "\\x41 \\u12", "y"], [1]),
        ("{'a': 'b'}\n", ["{'a': 'b'}"], [1]),
        ('{"a": "x",} // why\n', ["a", "x", ",} // why"], [1]),
        ('\0\0{"a": "x"}\n', ["\0\0{", "a", "x"], [1]),
        ('{"a": "x\0y"}\n', ["x\0y"], []),
        ('\ufeff{"a": "x"}\n\ufeff{"b": "y"}\n', ["x", "y"], []),
        ('{"a": NaN, "b": -Infinity, "c": [1.5e-7, true, "x"]}', ["x"], []),
        ("1" * 5000 + "\n", [], []),
        ("", [], []),
    ],
)
def test_a_line_that_is_no_json_is_read_between_its_quotes_and_noted(
    data: str, found: list[str], lines: list[int]
) -> None:
    strings, unread = read(data.encode(), [])
    assert [text for _, text in strings] == found
    assert unread.first == lines and unread.count == len(lines)


def test_a_string_that_never_ends_is_noted_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_strings, "LONGEST_TEXT", 16)
    assert read(b'["' + b"ab" * 100, [7])[0] == [(1, "ab" * 100)]
    strings, unread = read(b'["' + b"ab" * 100 + b'\n"c"]\n', [7])
    assert strings == [(1, "ab" * 100), (2, "c")]
    assert unread.first == [1]


def test_what_holds_no_string_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_strings, "LONGEST_TEXT", 16)
    assert read(b"[" + b"12, " * 1000 + b'"x"]', [8]) == ([(1, "x")], Noted())
    assert read(b"1" * 1000, [8])[0] == []
    assert max(len(block.data) for block in JsonStrings(Noted()).blocks([b"prose, "] * 100)) < 40


@pytest.mark.parametrize(
    ("head", "is_json"),
    [
        (b'{"a": 1}', True), (b' \n[{"a": "b"}, {"c', True), (b'["x"]', True), (b"[Chorus]\nla la", False),
        (b"plain", False), (b"{needle} \"x\"", False), (b"", False), (b"[1] Smith, \"A title\"", False),
    ],
)  # fmt: skip
def test_json_is_known_by_its_beginning(head: bytes, is_json: bool) -> None:
    assert begins_json(head) is is_json


def test_blocks_of_lines_say_where_each_begins() -> None:
    found = list(blocks.by_lines([b"a\r\nb", b"c\n\nd\re\r", b"\nf"]))
    assert b"\n".join(block.data for block in found) == b"a\nbc\n\nd\re\nf"
    assert [line for block in found for line in block.lines] == [1, 2, 3, 4, 5]
