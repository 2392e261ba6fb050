"""Records to lines and back."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negtemp.errors import RecordError
from negtemp.printable import is_hostile
from negtemp.records import Completion, Header, Step, from_line, to_line
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
STEPS = st.builds(
    Step, st.integers(0, 99), st.integers(0, 999), st.integers(0, 99999), st.binary(max_size=40),
    NUMBERS | st.just(-math.inf), st.integers(0, 99999), NUMBERS, NUMBERS, NUMBERS,
)  # fmt: skip
COMPLETION = Completion(
    0, "Temperature is", (1, 5), Temperature.of(-0.001), 7, (9, 9), " x", "length", 12.5, -3.0, 2.0, 0.5
)


@given(STEPS)
def test_a_step_reads_back_equal(step: Step) -> None:
    assert from_line(to_line(step)) == step


@pytest.mark.parametrize("at", [GREEDY, ANTIGREEDY, UNIFORM, Temperature.of(-0.25)])
def test_a_completion_reads_back_equal_at_every_temperature(at: Temperature) -> None:
    record = Completion(0, "p", (1,), at, 7, (9,), "x", "eog", None, None, None, None)
    read = from_line(to_line(record))
    assert read == record
    assert isinstance(read, Completion)
    assert math.copysign(1, read.temperature.temperature) == math.copysign(1, at.temperature)


def test_infinite_temperatures_are_strings() -> None:
    line = json.loads(to_line(Completion(0, "", (), ANTIGREEDY, 1, (), "", "length", None, None, None, None)))
    assert (line["temperature"], line["beta"]) == (-0.0, "-inf")
    line = json.loads(to_line(Completion(0, "", (), UNIFORM, 1, (), "", "length", None, None, None, None)))
    assert (line["temperature"], line["beta"]) == ("inf", 0.0)


def test_an_impossible_logprob_is_null() -> None:
    line = json.loads(to_line(Step(0, 0, 1, b"x", -math.inf, 5, 1.0, 0.0, -0.0)))
    assert line["logprob"] is None


def test_a_line_holds_the_fields_that_the_design_promises() -> None:
    step = json.loads(to_line(Step(0, 3, 1723, "ština".encode(), -14.2, 2047, 2.31, 0.12, -0.0)))
    assert list(step) == [
        "kind", "sequence", "position", "token_id", "piece", "bytes", "logprob", "rank", "entropy", "gap",
        "sampled_logprob",
    ]  # fmt: skip
    assert (step["piece"], step["bytes"]) == ("ština", "c5a174696e61")


@given(st.text())
def test_a_hostile_prompt_is_escaped_in_the_line_and_whole_when_read(prompt: str) -> None:
    line = to_line(Header("0", "run", {"name": prompt}, {}, {}))
    assert not any(is_hostile(character) for character in line)
    read = from_line(line)
    assert isinstance(read, Header)
    assert read.model["name"] == prompt


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", '{"kind":"step"}', '{"kind":"nothing"}', "null", to_line(COMPLETION)[:40]],
    ids=["empty", "torn", "list", "fields-missing", "unknown-kind", "null", "cut"],
)
def test_what_is_no_record_is_refused_in_one_line(line: str) -> None:
    with pytest.raises(RecordError) as caught:
        from_line(line)
    assert "\n" not in str(caught.value)


def test_a_newer_schema_is_refused_by_name() -> None:
    line = to_line(Header("9", "run", {}, {}, {})).replace('"schema": 1', '"schema": 2')
    with pytest.raises(RecordError, match="schema 2"):
        from_line(line)
