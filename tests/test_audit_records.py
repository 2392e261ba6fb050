"""Records of an audit: to a line and back, strict JSON, and the literature's thresholds."""

import json
import math

import pytest

from negtemp.records import Audit, AuditToken, from_line, to_line
from negtemp.records.audit import CategoryCounts, Controls, Reference
from negtemp.records.trial import verdict

TOKEN = AuditToken(
    token_id=7, raw=b"\xff</script>", category="byte-invalid", rank=0, score=0.93,
    indicators={"mean_logit": 5.4, "input_norm": -0.1}, candidate=True, probability=1e-9, verdict="strong",
    probabilities={"run": 1e-9}, superstrings=(8, 9),
)  # fmt: skip
AUDIT = Audit(
    problem=None, combined=("mean_logit",), reference=Reference(
        source="bytes", tokens=13,
    ), structure=0.99, threshold=0.5,
    controls=Controls(tokens=64, said=True), categories={"normal": CategoryCounts(tokens=5)},
)  # fmt: skip


@pytest.mark.parametrize("record", [TOKEN, AUDIT], ids=lambda r: r.kind)
def test_a_record_survives_its_line(record: AuditToken | Audit) -> None:
    assert from_line(to_line(record)) == record


def test_a_token_without_a_score_is_null_and_comes_back_as_none_known() -> None:
    record = AuditToken(
        token_id=1, raw=b"a", category="normal", rank=3, score=math.nan, indicators={"mean_logit": math.nan},
    )  # fmt: skip
    fields = json.loads(to_line(record), parse_constant=lambda name: pytest.fail(name))
    assert fields["score"] is None and fields["indicators"] == {"mean_logit": None}
    again = from_line(to_line(record))
    assert isinstance(again, AuditToken) and math.isnan(again.score)


def test_the_documented_fields_are_there() -> None:
    documented = {
        "kind", "token_id", "piece", "bytes", "category", "rank", "score", "indicators", "probability", "verdict",
    }  # fmt: skip
    assert documented <= json.loads(to_line(TOKEN)).keys()


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(0.0, "strong"), (0.00099, "strong"), (0.001, "weak"), (0.0999, "weak"), (0.1, "rejected"), (1.0, "rejected")],
)
def test_verdicts_follow_the_literature(probability: float, expected: str) -> None:
    assert verdict(probability) == expected
