"""An audit as files for others: a Markdown report, a table of comma-separated values, a ban list.

Pieces go through `printable`; what a format would still read as its own is escaped in the same way, so nothing is
ambiguous: in Markdown `|` and a backtick are `\\x7c` and `\\x60`, and every piece stands in a code span. A spreadsheet
runs a cell that begins with = + - or @, so such a cell of text gets an apostrophe in front (the bytes are in the column
beside it). It leaves out where the files go.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence

from negtemp.printable import printable
from negtemp.records import Audit, AuditToken, Header
from negtemp.views.audit import COUNTS, groups, left_to_the_counts, number, probability, ranges, remarks

# bytes and half characters are what other text is spelt with: a ban would break it
BANNED_UNASKED = ("normal", "special-looking", "unused", "byte-invalid", "unreachable-single", "unreachable-several")

_LISTED = 200
_FORMULA = ("=", "+", "-", "@")


def markdown(header: Header, tokens: Sequence[AuditToken], audit: Audit, pieces: Mapping[int, bytes]) -> str:
    """The report. `tokens` in the order of their rank; `pieces` names the tokens that hold others."""
    return "\n".join(
        [
            "# Under-trained tokens", "", *_about(header), "", "## In short", "",
            *(f"- {_plain(line)}" for line in remarks(audit)), "", "## By category", "", *_categories(audit), "",
            *_sections(tokens, audit, pieces), *_reading(audit),
        ]
    )  # fmt: skip


def _about(header: Header) -> Iterator[str]:
    model = header.model
    yield "| | |"
    yield "| --- | --- |"
    yield f"| model | {code(model.name.encode(), ' ')} {code(model.description.encode(), ' ')} |"
    yield f"| file | {code(model.file.encode(), ' ')} |"
    yield f"| fingerprint | `{model.fingerprint[:16]}` |"
    yield f"| vocabulary | {model.vocabulary:,} tokens |"
    yield f"| made by | negtemp {header.negtemp}, llama-cpp-python {header.engine.llama_cpp_python} |"


def _categories(audit: Audit) -> Iterator[str]:
    yield f"| category | {' | '.join(COUNTS.values())} |"
    yield "| --- |" + " ---: |" * len(COUNTS)
    for category, counts in audit.categories.items():
        yield f"| {category} | {' | '.join(str(getattr(counts, name)) for name in COUNTS)} |"


def _sections(tokens: Sequence[AuditToken], audit: Audit, pieces: Mapping[int, bytes]) -> Iterator[str]:
    for title, group in groups(tokens).items():
        yield f"## {title}: {len(group):,}"
        yield ""
        yield from _table(group[:_LISTED], pieces)
        if len(group) > _LISTED:
            yield ""
            yield f"The first {_LISTED} by rank; `negtemp audit --json` lists all {len(group):,}."
        yield ""
    yield from _in_ranges(left_to_the_counts(tokens))


def _in_ranges(tokens: Sequence[AuditToken]) -> Iterator[str]:
    """Bytes, control and unused tokens, by their ids alone: every model has them."""
    if not tokens:
        return
    yield f"## Suspect bytes, control and unused tokens: {len(tokens):,}"
    yield ""
    for category in sorted({t.category for t in tokens}):
        yield f"- {category}: ids {ranges(sorted(t.token_id for t in tokens if t.category == category))}"
    yield ""


def _table(tokens: Sequence[AuditToken], pieces: Mapping[int, bytes]) -> Iterator[str]:
    yield "| rank | id | piece | category | score | p | part of |"
    yield "| ---: | ---: | --- | --- | ---: | ---: | --- |"
    for t in tokens:
        holders = ", ".join(code(pieces[i]) for i in t.superstrings[:3] if i in pieces)
        yield (
            f"| {t.rank} | {t.token_id} | {code(t.raw)} | {t.category} | {number(t.score, '.2f')} "
            f"| {probability(t.probability)} | {holders} |"
        )


def _reading(audit: Audit) -> Iterator[str]:
    yield "## How to read this"
    yield ""
    names = " and ".join(f"`{name}`" for name in audit.combined)
    yield f"- The ranking is a weighted mean of {names}, set to 0 for tokens in use"
    yield "  and to 1 for tokens known to be unused; a token of 0.5 or more is suspect."
    yield "- `p` is the greatest probability of the exact token id when prompts ask the model to say it."
    yield "  Partial characters, bytes, control tokens and tokens that no text leads to are listed and not asked."
    yield "- `part of` names longer tokens. A fragment that merges only ever passed through is never seen on its own:"
    yield "  only a text that breaks off there leads to it."
    yield "- A suspect token that text can reach is worth removing from the vocabulary, training on, or banning at"
    yield "  generation: `negtemp audit --ban FILE` writes a `logit_bias`."
    yield "- What this cannot see: a token that was seen often and learned badly, and data outside the model."
    yield ""


def code(raw: bytes, keep: str = "") -> str:
    """A piece as a Markdown code span that nothing in it can leave, in a table or out of one."""
    return f"`{_plain(printable(raw, keep).replace('`', chr(92) + 'x60'))}`" if raw else "(empty)"


def _plain(text: str) -> str:
    return text.replace("|", "\\x7c")


def comma_separated(tokens: Sequence[AuditToken]) -> str:
    """One row a token, with a head; RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = list(tokens[0].indicators) if tokens else []
    writer.writerow(
        ["rank", "token_id", "piece", "bytes", "category", "score", "candidate", "probability", "verdict", *names]
    )
    for t in tokens:
        writer.writerow([
            t.rank, t.token_id, cell(t.piece), t.raw.hex(), t.category, number(t.score, ".6g"), t.candidate,
            number(t.probability, ".6g"), t.verdict or "-", *(number(t.indicators[name], ".6g") for name in names),
        ])  # fmt: skip
    return out.getvalue()


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> cell("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def ban_list(tokens: Sequence[AuditToken], audit: Audit) -> str:
    """JSON with a `logit_bias` of -100 for every token that the model all but cannot say (p < 0.01); where it was not
    asked or repeats nothing, for every candidate of a category that other text is not spelt with.
    """
    if audit.can_verify:
        banned = [t for t in tokens if t.confirmed]
    else:
        banned = [t for t in tokens if t.suspect and t.category in BANNED_UNASKED]
    return json.dumps({"logit_bias": {str(t.token_id): -100 for t in sorted(banned, key=lambda t: t.token_id)}}) + "\n"
