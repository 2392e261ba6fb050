"""Two audits compared: what appeared, what healed, and vocabularies that cannot be compared."""

import dataclasses

import pytest

from negtemp.errors import UsageError
from negtemp.experiments.difference import difference
from negtemp.records import AuditToken, Difference, from_line, to_line
from negtemp.records.audit import Change

TOKENS = [
    AuditToken(
        token_id=i,
        raw=b"t%d" % i,
        category="normal",
        rank=i,
        score=1 - i / 10,
        indicators={"thermal": 5.0 - i, "input_norm": -1.0},
        candidate=i < 2,
    )
    for i in range(10)
]


def changed(index: int, **fields: object) -> list[AuditToken]:
    return [dataclasses.replace(t, **fields) if t.token_id == index else t for t in TOKENS]  # type: ignore[arg-type]


def compared(before: list[AuditToken], after: list[AuditToken]) -> tuple[list[Change], Difference]:
    *changes, whole = difference(before, after, ("a", "b"))
    assert isinstance(whole, Difference)
    return [change for change in changes if isinstance(change, Change)], whole


def test_a_model_does_not_differ_from_itself() -> None:
    changes, whole = compared(TOKENS, TOKENS)
    assert changes == []
    assert (whole.correlation, whole.both, whole.appeared, whole.healed) == (1.0, 2, 0, 0)
    # an indicator that is the same for every token has no rank correlation
    assert whole.by_indicator == {"thermal": 1.0, "input_norm": None}


def test_what_becomes_a_candidate_has_appeared_and_what_ceases_to_be_one_is_healed() -> None:
    changes, whole = compared(TOKENS, changed(7, candidate=True))
    assert [(c.change, c.after.token_id) for c in changes] == [("appeared", 7)] and whole.appeared == 1
    changes, whole = compared(changed(7, candidate=True), TOKENS)
    assert [(c.change, c.after.token_id) for c in changes] == [("healed", 7)] and whole.healed == 1


def test_a_token_that_the_model_says_is_not_suspect_though_a_candidate() -> None:
    changes, _ = compared(TOKENS, changed(1, probability=0.5, verdict="rejected"))
    assert [(c.change, c.after.token_id) for c in changes] == [("healed", 1)]


def test_the_order_of_the_tokens_does_not_matter() -> None:
    assert compared(TOKENS, TOKENS[::-1])[1].correlation == 1.0


def test_a_reversed_ranking_has_a_correlation_of_minus_one() -> None:
    after = [dataclasses.replace(t, score=-t.score) for t in TOKENS]
    assert compared(TOKENS, after)[1].correlation == pytest.approx(-1.0)


def test_other_vocabularies_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="a has 10 tokens and b 9"):
        list(difference(TOKENS, TOKENS[:9], ("a", "b")))
    with pytest.raises(UsageError, match="token 3 is 't3' in a and 'other' in b"):
        list(difference(TOKENS, changed(3, raw=b"other"), ("a", "b")))


def test_records_of_a_difference_survive_their_lines() -> None:
    for record in difference(TOKENS, changed(7, candidate=True), ("a", "b")):
        assert from_line(to_line(record)) == record
