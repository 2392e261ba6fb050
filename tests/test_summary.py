"""The table's figures against means and shares worked by hand."""

import io
from dataclasses import replace
from typing import cast

import pytest

from negtemp.experiments.summary import summarize
from negtemp.printable import is_hostile
from negtemp.records import Completion, Failure, Stop, Summary, from_line, to_line
from negtemp.theory.statistics import wilson
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature
from negtemp.views import console
from negtemp.views import sweep as view


def completion(
    prompt: str, logprob: float | None, stop: Stop = "length", tokens: tuple[int, ...] = (1,), at: Temperature = GREEDY
) -> Completion:
    """A finished unit of which only these figures matter."""
    return Completion(
        sequence=0, prompt=prompt, prompt_token_ids=(1,), temperature=at, seed=1, token_ids=tokens, text="", stop=stop,
        tokens_per_second=None, mean_logprob=logprob, mean_rank=2.0, distinct=0.5, mean_entropy=1.5, longest_repeat=3,
        non_ascii=0.25, categories={"normal": 0.75, "byte": 0.25},
    )  # fmt: skip


def test_a_temperature_has_the_means_of_its_units() -> None:
    (found,) = summarize([completion("a", -1.0), completion("a", -2.0), completion("b", -6.0)])
    assert (found.units, found.errors) == (3, 0)
    assert found.figures["mean_logprob"].value == pytest.approx(-3.0)
    assert {name: e.value for name, e in found.categories.items()} == {"normal": 0.75, "byte": 0.25}
    assert (found.figures["longest_repeat"].value, found.figures["mean_entropy"].value) == (3, 1.5)


def test_intervals_are_over_prompts_where_there_are_several() -> None:
    """A hundred equal completions of each of two prompts tell no more than two."""
    (found,) = summarize(
        [completion(prompt, value) for prompt, value in (("a", -1.0), ("b", -3.0)) for _ in range(100)]
    )
    low, high = found.figures["mean_logprob"][1:]
    assert (low, high) == (-3.0, -1.0)


def test_stop_reasons_have_wilsons_interval_with_equal_completions_counted_once() -> None:
    units = [completion("a", -1.0, "length", (token,)) for token in range(8)]
    units += [completion("a", -1.0, "eog", (9,)), completion("a", -1.0, "eog", (10,))]
    (found,) = summarize(units)
    assert found.stops["length"] == (0.8, *wilson(8, 10))
    (twice,) = summarize(units * 2)
    assert twice.stops == found.stops


def test_temperatures_stand_by_beta_and_errors_are_counted() -> None:
    records = [completion("a", -1.0, at=at) for at in (GREEDY, UNIFORM, ANTIGREEDY)]
    found = summarize([*records, Failure(sequence=0, prompt="long", temperature=UNIFORM, seed=1, reason="why")])
    assert [(one.temperature, one.units, one.errors) for one in found] == [
        (ANTIGREEDY, 1, 0), (UNIFORM, 1, 1), (GREEDY, 1, 0),
    ]  # fmt: skip


def test_what_is_missing_has_no_estimate_and_a_summary_reads_back_equal() -> None:
    (found,) = summarize([completion("a", None)])
    assert found.figures["mean_logprob"] == (None, None, None)
    read = from_line(to_line(found))
    assert isinstance(read, Summary) and read == found


def test_nothing_in_a_file_reaches_the_terminal_raw() -> None:
    """Names, prompts and reasons of a run that someone else has written."""
    evil = "\x1b[31m\u202e"
    broken = replace(completion("a", -1.0), categories={evil: 1.0}, stop=cast(Stop, evil))
    out = io.StringIO()
    shown = console.stdout(out)
    for piece in view.by_beta(summarize([broken]), shown):
        shown.print(piece)
    text = out.getvalue() + view.failure(Failure(sequence=0, prompt=evil, temperature=GREEDY, seed=1, reason=evil))
    assert "\\x1b" in text or "\\u001b" in text
    assert not any(is_hostile(character) for character in text.replace("\n", ""))
