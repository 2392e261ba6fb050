"""Records of an audit: to a line and back, strict JSON, and the literature's thresholds."""

import json
import math

import pytest

from negtemp.records import Audit, AuditToken, from_line, to_line
from negtemp.records.audit import verdict

TOKEN = AuditToken(
    7, b"\xff</script>", "byte-invalid", 0, 0.93, {"mean_logit": 5.4, "input_norm": -0.1}, True, 1e-9, "strong",
    {"run": 1e-9}, (8, 9),
)  # fmt: skip
AUDIT = Audit(
    None, ("mean_logit",), {"source": "bytes", "tokens": 13}, 0.99, 0.5, {"tokens": 64, "said": True},
    {"normal": {"tokens": 5}}, {"precision": 0.9},
)  # fmt: skip


@pytest.mark.parametrize("record", [TOKEN, AUDIT], ids=lambda r: r.kind)
def test_a_record_survives_its_line(record: AuditToken | Audit) -> None:
    assert from_line(to_line(record)) == record


def test_a_token_without_a_score_is_null_and_comes_back_as_none_known() -> None:
    record = AuditToken(1, b"a", "normal", 3, math.nan, {"mean_logit": math.nan})
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
