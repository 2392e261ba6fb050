"""Measures the law of the level: where tokens that are never a target come to rest, and what holds them there.

    pip install -e '.[train]'
    python benchmarks/level_law.py [--only reduced|networks] [--seeds N]

`reduced` is one row under AdamW against fixed hidden states, some seconds; `networks` are the members of the branch
`collapsed` that `benchmarks/audit_family.py --branch collapsed` has trained. Writes benchmarks/audit/law.json, or one
half of it anew. docs/level.md says what the figures mean.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audit.law import Mapped, measure

TARGET = Path(__file__).parent / "audit" / "law.json"


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("reduced", "networks"), help="one half of the work (default: both)")
    parser.add_argument("--seeds", type=int, default=2, help="members of each configuration (default: %(default)s)")
    arguments = parser.parse_args()
    record = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    if arguments.only != "networks":
        record["reduced"] = [_rounded(asdict(axis)) for axis in measure(_say)]
    if arguments.only != "reduced":
        record["networks"] = _networks(arguments.seeds)
    parts = (
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]"
        for name, entries in record.items()
    )
    TARGET.write_text("{" + ", ".join(parts) + "}\n", encoding="utf-8")


def _say(axis: Mapped) -> None:
    low, high = axis.interval
    print(f"{axis.name:8} {axis.held:42} slope {axis.slope:.3f} [{low:.3f}, {high:.3f}]", flush=True)


def _networks(seeds: int) -> list[Any]:
    from audit.collapsed import members
    from audit.networks import measured  # needs torch, as the other half does not

    found = []
    for record in measured(list(members(seeds))):
        print(record["member"], flush=True)
        found.append(_rounded(record))
    return found


def _rounded(value: Any) -> Any:
    """Floats to four significant digits, so that a rerun changes what changed."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
