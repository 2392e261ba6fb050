"""The safe view of bytes: nothing hostile comes out, different bytes stay different."""

import unicodedata

import pytest
from conftest import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from negtemp.printable import is_hostile, printable, printable_text, runs, split_partial


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain", "plain"),
        (b" the", "␠the"),
        (b"\xe6", "\\xe6"),
        (b"a\\x41", "a\\\\x41"),
        (b"\n\r\t", "\\n\\r\\t"),
        (b"\x1b[31m", "\\u001b[31m"),
        ("\u202eabc".encode(), "\\u202eabc"),
        ("\U000e0041".encode(), "\\U000e0041"),
        ("\u0301a".encode(), "◌\u0301a"),
        ("a\u0301".encode(), "a\u0301"),
        ("\u3164".encode(), "\\u3164"),
        ("␠".encode(), "\\u2420"),
        ("Хронологија".encode(), "Хронологија"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ],
)
def test_worked_examples(data: bytes, shown: str) -> None:
    assert printable(data) == shown


def test_kept_characters_stay() -> None:
    assert printable(b"two words\nand a\ttab", keep=" \n") == "two words\nand a\\ttab"


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_nothing_hostile_comes_out(data: bytes) -> None:
    shown = printable(data)
    assert not any(is_hostile(character) for character in shown.replace("␠", "").replace("◌", ""))
    assert not any(unicodedata.category(character)[0] == "C" for character in shown)


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_different_bytes_never_look_alike(one: bytes, other: bytes) -> None:
    assert (printable(one) == printable(other)) == (one == other)


@pytest.mark.parametrize("pair", [(b" ", "␠".encode()), ("\u0301".encode(), "◌\u0301".encode()), (b"\xff", b"\\xff")])
def test_our_own_marks_cannot_be_forged(pair: tuple[bytes, bytes]) -> None:
    assert printable(pair[0]) != printable(pair[1])


@given(st.binary(max_size=40))
def test_runs_join_to_the_view_and_escapes_are_marked(data: bytes) -> None:
    pieces = list(runs(data))
    assert "".join(text for text, _ in pieces) == printable(data)
    assert all(text for text, _ in pieces)


@given(st.text(max_size=20).map(str.encode))
def test_split_partial_never_cuts_a_character(data: bytes) -> None:
    for cut in range(len(data) + 1):
        ready, waiting = split_partial(data[:cut])
        assert ready + waiting == data[:cut]
        assert len(waiting) < 4
        ready.decode("utf-8")


def test_split_partial_does_not_wait_for_what_cannot_become_a_character() -> None:
    assert split_partial(b"a\xff") == (b"a\xff", b"")
    assert split_partial(b"\x80\x80\x80\x80") == (b"\x80\x80\x80\x80", b"")


@pytest.mark.parametrize("data", HOSTILE)
def test_every_hostile_piece_becomes_one_harmless_line(data: bytes) -> None:
    assert printable(data).isprintable()


@pytest.mark.parametrize(("text", "shown"), [("caf\udcff", "caf\\xff"), ("\ud800", "\\xed\\xa0\\x80"), ("é", "é")])
def test_a_text_that_holds_what_is_no_character_is_shown(text: str, shown: str) -> None:
    assert printable_text(text) == shown
