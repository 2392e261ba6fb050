"""Holds the token ids of a stock build against those of a patched one, and says how many there were.

    python scripts/conformance_compare.py NAME STOCK PATCHED

The files are those of `conformance_tokens.py`. Above zero every id must be the same; the first case that differs is
shown. Below zero the builds must differ, else they are one and the same and the comparison proves nothing. Exits 1 for
either.
"""

import json
import sys
from pathlib import Path
from typing import Any


def read(path: str) -> list[dict[str, Any]]:
    """The cases of one build."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def compare(name: str, stock: list[dict[str, Any]], patched: list[dict[str, Any]]) -> int:
    """The exit status, after a line of counts and the first difference."""
    pairs = list(zip(stock, patched, strict=True))
    above = [pair for pair in pairs if pair[0]["temperature"] >= 0]
    different = [pair for pair in above if pair[0] != pair[1]]
    below = [one != other for one, other in pairs if one["temperature"] < 0]
    tokens = sum(len(one["token_ids"]) for one, _ in above)
    print(
        f"{name}: {len(above)} cases at T >= 0, {tokens} tokens: {len(different)} differ; "
        f"below zero {sum(below)} of {len(below)} differ, as they must"
    )
    for one, other in different[:1]:
        print(f"first difference: {one}\npatched: {other['token_ids']}")
    return 1 if different or not any(below) or not tokens else 0


if __name__ == "__main__":
    sys.exit(compare(sys.argv[1], read(sys.argv[2]), read(sys.argv[3])))
