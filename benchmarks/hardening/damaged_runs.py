"""Commands that read a saved run, on damaged ones: each ends in status 0 or 1, with one line that says why.

    python -m hardening.damaged_runs --seeds 0:2000

A seed names a saved run of `tests/saved`, what is done to it, and the command. Damage is to bytes (flipped, NULs, marks
of byte order, carriage returns, cuts), to lines (doubled, dropped, exchanged), and to values within a sound line: of
another type, not finite, of 70 digits, half a surrogate pair, nested 400 times, missing. All in one process.
"""

import contextlib
import io
import json
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hardening.seeds import seed_options
from negtemp.cli import main as program

SAVED = Path(__file__).parents[2] / "tests" / "saved"
# as JSON, whose numbers and texts may be what no record holds
VALUES = (
    "null", "true", "-1", "0", "2147483648", "1" + "0" * 70, "1e308", "-1e308", "NaN", "Infinity", "1e999",
    '""', '"nan"', '"-inf"',
    '"\\ud800"', '"\\u001b[2J"', '"' + "x" * 10000 + '"', '"[bold]"', "[]", "[null]", "{}", '{"a": 1}', "[[1, 2], [3]]",
    "[" * 400 + "]" * 400,
)  # fmt: skip
_BYTES = (b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"\r", b"{", b'"', b"\\ud800", b"\xe2\x80\xa8", b"[" * 3000)


class Case(NamedTuple):
    """How one command ended on one damaged run; `wrong` is empty where all is as it should be."""

    seed: int
    run: str
    damage: str
    command: str
    status: int
    wrong: str


def run(seeds: Sequence[int]) -> Iterator[Case]:
    """The cases of these seeds."""
    kinds = sorted(path.name for path in SAVED.iterdir())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in seeds:
            rng = random.Random(seed)
            kind = rng.choice(kinds)
            damage = rng.choice(DAMAGES)
            (folder / "run.jsonl").write_bytes(damage(rng, (SAVED / kind / "records.jsonl").read_bytes()))
            command = rng.choice((["show"], ["show", "--all"], ["show", "--json"], ["report", "-o", "-"]))
            yield _case(seed, kind, damage.__name__, [command[0], str(folder / "run.jsonl"), *command[1:]])


def _case(seed: int, kind: str, damage: str, arguments: list[str]) -> Case:
    out, err, status, wrong = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"), io.StringIO(), -1, ""
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = program.run(arguments)
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "negtemp" in frame.filename]
        wrong = f"{type(error).__name__}: {str(error)[:80]} at {ours[-1]}"
    complaints = [line for line in err.getvalue().splitlines() if line.startswith("negtemp: ")]
    if not wrong and (status not in (0, 1) or (status == 1 and len(complaints) != 1)):
        wrong = f"status {status}, {len(complaints)} lines of reason"
    return Case(seed, kind, damage.strip("_"), arguments[0], status, wrong)


def _bytes(rng: random.Random, data: bytes) -> bytes:
    place, size = rng.randrange(len(data)), rng.choice((0, 0, 1, 20))
    return data[:place] + rng.choice(_BYTES) + data[place + size :]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _line_ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" \n", b"\n\xef\xbb\xbf", b"\0\n")))


def _encoded(rng: random.Random, data: bytes) -> bytes:
    return data.decode().encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))


def _lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.choice(("doubled", "dropped", "exchanged"))
    if how == "exchanged":
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one : one + 1] = [lines[one]] * 2 if how == "doubled" else []
    return b"".join(lines)


def _value(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines()
    which = rng.randrange(len(lines))
    record = json.loads(lines[which])
    for _ in range(rng.choice((1, 1, 2))):
        holder, key = _place(rng, record)
        if rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = json.loads(rng.choice(VALUES))
        if not record:
            break
    lines[which] = json.dumps(record).encode()
    return b"\n".join(lines) + b"\n"


def _place(rng: random.Random, record: Any) -> tuple[Any, Any]:
    """A container within a record and a key of it; deep ones as likely as shallow ones."""
    found: list[tuple[Any, Any]] = []
    waiting = [record]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(min(len(holder), 4)))
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys if isinstance(holder[key], dict | list) and len(found) < 5000]
    return rng.choice(found)


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _value, _value, _value, _value, _value, _bytes, _bytes, _cut, _line_ends, _encoded, _lines,
)  # fmt: skip


def main() -> None:
    """Run the seeds and say what went wrong."""
    given = seed_options(__doc__).parse_args()
    endings: Counter[str] = Counter()
    for case in run(given.seeds):
        endings["wrong" if case.wrong else "refused" if case.status else "read"] += 1
        if case.wrong:
            print(f"seed {case.seed}: {case.command} of {case.run}, {case.damage}: {case.wrong}", flush=True)
    print(f"{endings.total()} cases: {dict(endings)}")
    sys.exit(bool(endings["wrong"]))


if __name__ == "__main__":
    main()
