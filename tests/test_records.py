"""Records to lines and back."""

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negtemp.errors import RecordError
from negtemp.printable import is_hostile
from negtemp.records import Completion, EngineBuild, Failure, Header, ModelFile, Record, Step, from_line, to_line
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
STEPS = st.builds(
    Step, sequence=st.integers(0, 99), position=st.integers(0, 999), token_id=st.integers(0, 99999),
    raw=st.binary(max_size=40), logprob=NUMBERS | st.just(-math.inf), rank=st.integers(0, 99999), entropy=NUMBERS,
    gap=NUMBERS, sampled_logprob=NUMBERS, centroid_percentile=st.none() | NUMBERS,
)  # fmt: skip
MODEL = ModelFile(name="m", description="", vocabulary=1, file="m.gguf", fingerprint="0")
ENGINE = EngineBuild(llama_cpp_python="0", patches=(), patched=True)
COMPLETION = Completion(
    sequence=0, prompt="Temperature is", prompt_token_ids=(1, 5), temperature=Temperature.of(-0.001), seed=7,
    token_ids=(9, 9), text=" x", stop="length", tokens_per_second=12.5, mean_logprob=-3.0, mean_rank=2.0, distinct=0.5,
)  # fmt: skip


@given(STEPS)
def test_a_step_reads_back_equal(step: Step) -> None:
    assert from_line(to_line(step)) == step


@pytest.mark.parametrize("at", [GREEDY, ANTIGREEDY, UNIFORM, Temperature.of(-0.25)])
def test_a_completion_reads_back_equal_at_every_temperature(at: Temperature) -> None:
    record = Completion(
        sequence=0, prompt="p", prompt_token_ids=(1,), temperature=at, seed=7, token_ids=(9,), text="x", stop="eog",
        tokens_per_second=None, mean_logprob=None, mean_rank=None, distinct=None,
    )  # fmt: skip
    read = from_line(to_line(record))
    assert read == record
    assert isinstance(read, Completion)
    assert math.copysign(1, read.temperature.temperature) == math.copysign(1, at.temperature)


def test_infinite_temperatures_are_strings() -> None:
    line = json.loads(to_line(Completion(
        sequence=0, prompt="", prompt_token_ids=(), temperature=ANTIGREEDY, seed=1, token_ids=(), text="",
        stop="length", tokens_per_second=None, mean_logprob=None, mean_rank=None, distinct=None,
    )))  # fmt: skip
    assert (line["temperature"], line["beta"]) == (-0.0, "-inf")
    line = json.loads(to_line(Completion(
        sequence=0, prompt="", prompt_token_ids=(), temperature=UNIFORM, seed=1, token_ids=(), text="", stop="length",
        tokens_per_second=None, mean_logprob=None, mean_rank=None, distinct=None,
    )))  # fmt: skip
    assert (line["temperature"], line["beta"]) == ("inf", 0.0)


def test_an_impossible_logprob_is_null() -> None:
    line = json.loads(to_line(Step(
        sequence=0, position=0, token_id=1, raw=b"x", logprob=-math.inf, rank=5, entropy=1.0, gap=0.0,
        sampled_logprob=-0.0,
    )))  # fmt: skip
    assert line["logprob"] is None


def test_a_line_holds_the_fields_that_the_design_promises() -> None:
    step = json.loads(to_line(Step(
        sequence=0, position=3, token_id=1723, raw="ština".encode(), logprob=-14.2, rank=2047, entropy=2.31, gap=0.12,
        sampled_logprob=-0.0,
    )))  # fmt: skip
    assert list(step) == [
        "kind", "sequence", "position", "token_id", "piece", "bytes", "logprob", "rank", "entropy", "gap",
        "sampled_logprob",
    ]  # fmt: skip
    assert (step["piece"], step["bytes"]) == ("ština", "c5a174696e61")


@given(st.text())
def test_a_hostile_prompt_is_escaped_in_the_line_and_whole_when_read(prompt: str) -> None:
    model, settings = replace(MODEL, name=prompt), {"prompts": [prompt]}
    line = to_line(Header(negtemp="0", command="run", model=model, engine=ENGINE, settings=settings))
    assert not any(is_hostile(character) for character in line)
    read = from_line(line)
    assert isinstance(read, Header)
    assert (read.model.name, read.settings) == (prompt, settings)


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
    header = Header(negtemp="9", command="run", model=MODEL, engine=ENGINE, settings={})
    line = to_line(header).replace('"schema": 1', '"schema": 2')
    with pytest.raises(RecordError, match="schema 2"):
        from_line(line)


@pytest.mark.parametrize("schema", ["2", '"\\u001b[31m"', "true", "null", "1.0", "[]"])
def test_a_schema_of_any_content_is_refused_in_safe_words_before_anything_else_is_read(schema: str) -> None:
    with pytest.raises(RecordError) as caught:
        from_line(f'{{"kind": "header", "schema": {schema}}}')
    assert "schema" in str(caught.value) and "upgrade" in str(caught.value)
    assert not any(is_hostile(character) for character in str(caught.value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", '"\\u001b[31m"'), ("rank", "1.5"), ("rank", "true"), ("rank", "null"), ("rank", "[]"),
        ("logprob", '"x"'), ("logprob", "{}"), ("bytes", '"xy"'), ("bytes", "7"), ("centroid_percentile", "true"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_by_the_name_of_its_field(field: str, value: str) -> None:
    step = Step(
        sequence=0, position=0, token_id=1, raw=b"x", logprob=-1.0, rank=5, entropy=1.0, gap=0.0, sampled_logprob=-0.0,
        centroid_percentile=1.0,
    )  # fmt: skip
    line = json.dumps(json.loads(to_line(step)) | {field: json.loads(value)})
    with pytest.raises(RecordError, match=f"{field}: ") as caught:
        from_line(line)
    assert not any(is_hostile(character) for character in str(caught.value))


def test_a_field_that_a_later_version_adds_is_passed_over_and_one_that_an_earlier_lacked_takes_its_default() -> None:
    fields = json.loads(to_line(COMPLETION))
    del fields["mean_entropy"]
    assert from_line(json.dumps(fields | {"of_tomorrow": [1]})) == COMPLETION


@pytest.mark.parametrize("line", ["[" * 100_000, '{"kind":' * 100_000])
def test_a_line_nested_too_deep_is_refused(line: str) -> None:
    with pytest.raises(RecordError):
        from_line(line)


def test_records_take_their_fields_by_name_only_and_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        Failure(0, "p", GREEDY, 1, "why")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        COMPLETION.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize("one", golden.RECORDS, ids=lambda one: one.kind)
def test_a_notebook_shows_every_field_as_text(one: Record) -> None:
    shown = one._repr_html_()
    table = ElementTree.fromstring(shown)
    assert [row[0].text for row in table] == list(one.to_dict())
    assert {element.tag for element in table.iter()} == {"table", "tr", "th", "td", "bdi"}
    assert not any(map(is_hostile, shown))
