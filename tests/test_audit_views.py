"""What an audit looks like in every format, with a vocabulary made to break each of them."""

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace

import pytest
from conftest import HOSTILE
from rich.cells import cell_len
from rich.console import Console

from negtemp.records import Audit, AuditToken, EngineBuild, Header, ModelFile
from negtemp.records.audit import AgainstCounts, CategoryCounts, Controls, Reference
from negtemp.views import audit as view
from negtemp.views import audit_report

NASTY = (
    *HOSTILE,
    b"a|b",
    b"`code`",
    b"``",
    b"|",
    b"`",
    b"=cmd|' /C calc'!A0",
    b"+1",
    b"-1",
    b"@x",
    b"\r\n",
    b"",
    b"<b>",
)
INDICATORS = {"thermal": 5.0, "input_norm": -0.5}
TOKENS = [
    AuditToken(
        token_id=i,
        raw=raw,
        category="normal",
        rank=i,
        score=1.0,
        indicators=INDICATORS,
        candidate=True,
        probability=1e-5,
        verdict="strong",
        probabilities={"run": 1e-5},
        superstrings=(0, i),
    )
    for i, raw in enumerate(NASTY)
]
PIECES = dict(enumerate(NASTY))
COUNTS = CategoryCounts(tokens=40, candidates=9, verified=9, strong=9, below_0_01=9)
CONTROLS = Controls(tokens=48, said=True, median=0.9, rejected=47)
BYTES = Reference(source="bytes", tokens=13)
AUDIT = Audit(
    problem=None, combined=("mean_logit",), reference=BYTES, structure=0.99, threshold=0.5,
    controls=CONTROLS, categories={"normal": COUNTS},
)  # fmt: skip
MUTE = Audit(
    problem=None, combined=("mean_logit",), reference=BYTES, structure=0.99, threshold=0.5,
    controls=replace(CONTROLS, said=False), categories={"normal": COUNTS},
)  # fmt: skip
HEADER = Header(
    negtemp="0.1.0", command="audit",
    model=ModelFile(
        name="evil | `name`", description="llama 1B", vocabulary=40, file="a|b.gguf", fingerprint="f" * 64
    ),
    engine=EngineBuild(llama_cpp_python="0.3", patches=(), patched=True), settings={},
)  # fmt: skip


def drawn(width: int, *what: object) -> str:
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    for thing in what:
        console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def safe(text: str) -> bool:
    return not any(unicodedata.category(c)[0] in "CZ" for c in text if c not in " \n")


@pytest.mark.parametrize("width", [60, 100])
def test_the_tables_fit_and_let_no_control_character_through(width: int) -> None:
    text = drawn(width, view.listing(TOKENS, PIECES, width), view.by_category(AUDIT))
    assert safe(text)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "[red]markup[/red]" in drawn(300, view.listing(TOKENS, PIECES))


def test_markdown_keeps_every_row_whole_whatever_the_piece() -> None:
    text = audit_report.markdown(HEADER, TOKENS, AUDIT, PIECES)
    assert safe(text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for row in rows:
        # code spans open and close in pairs, and hold no pipe that a table would split at
        assert row.count("`") % 2 == 0
        assert not re.search(r"`[^`]*\|[^`]*`", row.replace("` | `", "").replace("`, `", "")) or row.count("|") in (
            3,
            8,
            9,
        )
    listed = [row for row in rows if re.match(r"\| \d+ \| \d+ \|", row)]
    assert len(listed) == len(TOKENS)
    assert {row.count("|") for row in listed} == {8}


@pytest.mark.parametrize("raw", NASTY, ids=repr)
def test_a_code_span_cannot_be_left(raw: bytes) -> None:
    span = audit_report.code(raw)
    assert span == "(empty)" or (span[0] == span[-1] == "`" and not set("`|\n\r") & set(span[1:-1]))


def test_code_spans_tell_all_pieces_apart() -> None:
    assert len({audit_report.code(raw) for raw in NASTY}) == len(NASTY)
    assert audit_report.code(b"\\x7c") != audit_report.code(b"|")


def test_a_spreadsheet_reads_every_row_and_runs_none() -> None:
    rows = list(csv.DictReader(io.StringIO(audit_report.comma_separated(TOKENS))))
    assert [bytes.fromhex(row["bytes"]) for row in rows] == list(NASTY)
    assert not any(row["piece"].startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows)
    assert rows[0]["thermal"] == "5" and rows[0]["verdict"] == "strong"


def test_the_ban_list_holds_what_the_model_cannot_say() -> None:
    said = AuditToken(
        token_id=99, raw=b"x", category="normal", rank=99, score=0.6, indicators=INDICATORS, candidate=True,
        probability=0.5, verdict="rejected",
    )  # fmt: skip
    hardly = AuditToken(
        token_id=98, raw=b"y", category="normal", rank=98, score=0.6, indicators=INDICATORS, candidate=True,
        probability=0.05, verdict="weak",
    )  # fmt: skip
    banned = json.loads(audit_report.ban_list([*TOKENS, said, hardly], AUDIT))["logit_bias"]
    assert banned == {str(i): -100 for i in range(len(NASTY))}


def test_a_ban_list_without_verdicts_spares_what_text_is_spelt_with() -> None:
    tokens = [
        AuditToken(token_id=i, raw=b"x", category=category, rank=i, score=1.0, indicators=INDICATORS, candidate=True)
        for i, category in enumerate(["normal", "byte-ascii", "byte-utf8", "byte-invalid", "partial-utf8", "control"])
    ]
    assert json.loads(audit_report.ban_list(tokens, MUTE))["logit_bias"] == {"0": -100, "3": -100}


def test_the_remarks_say_when_nothing_can_be_said() -> None:
    nothing = Audit(
        problem="nothing can be said: why", combined=("mean_logit",), reference=Reference(source="", tokens=0),
        structure=0.5, threshold=0.5, controls=CONTROLS, categories={},
    )  # fmt: skip
    assert next(view.remarks(nothing)) == "nothing can be said: why."


def test_a_mute_model_gets_no_verdict_in_words() -> None:
    text = " ".join(view.remarks(MUTE))
    assert "no verdict is given" in text and "all but cannot say" not in text


def test_the_remarks_give_precision_and_recall_where_the_truth_is_known() -> None:
    truth = AgainstCounts(
        never=10, rare=2, candidates=9, precision=0.9, recall=0.81, precision_with_rare=1.0, recall_with_rare=0.75,
        recall_at_95_precision=None, auc_never=0.99, auc_rare=None,
    )  # fmt: skip
    text = " ".join(view.truth(truth))
    assert "precision 90.0%, recall 81.0%" in text and "recall -" in text


def test_the_report_sorts_what_was_not_asked_by_what_text_can_hold() -> None:
    tokens = [
        AuditToken(
            token_id=i, raw=b"x%d" % i, category=category, rank=i, score=1.0, indicators=INDICATORS, candidate=True
        )
        for i, category in enumerate(["normal", "byte-utf8", "byte-utf8", "byte-utf8", "partial-utf8", "byte-utf8"])
    ]
    text = audit_report.markdown(HEADER, tokens, MUTE, {})
    assert "## Suspect, not asked, and text can hold them: 1" in text
    assert "## Suspect, and no text leads to them: 1" in text
    assert "- byte-utf8: ids 1-3, 5" in text


@pytest.mark.parametrize(("numbers", "shown"), [([], ""), ([4], "4"), ([4, 5], "4-5"), ([1, 3, 5], "1, 3, 5")])
def test_ids_are_written_in_ranges(numbers: list[int], shown: str) -> None:
    assert view.ranges(numbers) == shown


def test_a_narrow_terminal_and_a_mute_model_leave_columns_out() -> None:
    unasked = [AuditToken(
        token_id=1, raw=b"x", category="normal", rank=0, score=1.0, indicators=INDICATORS, candidate=True,
    )]  # fmt: skip
    assert "part of" in drawn(100, view.listing(TOKENS, PIECES, 100))
    assert "part of" not in drawn(60, view.listing(TOKENS, PIECES, 60))
    assert "verdict" in drawn(60, view.listing(TOKENS, PIECES, 60))
    assert "verdict" not in drawn(100, view.listing(unasked, {}))


def test_what_was_left_out_of_the_questions_is_said() -> None:
    stopped = Audit(
        problem=None, combined=("mean_logit",), reference=BYTES, structure=0.99,
        threshold=0.5, controls=CONTROLS, categories={"normal": replace(COUNTS, candidates=900, verified=640)},
    )  # fmt: skip
    assert "At least 260 suspect tokens were not asked for" in " ".join(view.remarks(stopped))
    assert "not asked for" not in " ".join(view.remarks(AUDIT))
