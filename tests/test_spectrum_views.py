"""The spectrum as it is shown: charts, tables, plots, lines; narrow, in ASCII, over a hostile vocabulary."""

import dataclasses
import importlib.machinery
import io
import json
import os
import struct
import subprocess
import sys
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import HOSTILE
from models import spm_vocabulary, write_llama
from rich.cells import cell_len
from rich.console import Console
from test_console import NEGTEMP, raw

from negtemp.experiments.settings import Settings
from negtemp.experiments.spectrum import spectrum
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.records import Record, Spectrum, Thermo
from negtemp.views import charts, plots, thermo

PROMPT = "Temperature is a concept"
THERMO = {
    "kind", "sequence", "position", "beta", "temperature", "log_z", "entropy", "energy", "heat_capacity", "token_id",
    "probability",
}  # fmt: skip

Place = tuple[list[Thermo], Spectrum]


def placed(engine: Engine, *prompts: str, **options: Any) -> list[Place]:
    """States and summary of each distribution."""
    found: list[Place] = []
    states: list[Thermo] = []
    for record in spectrum(engine, prompts, Settings(), **options):
        if isinstance(record, Thermo):
            states.append(record)
        else:
            found.append((states, record))
            states = []
    return found


@pytest.fixture(scope="module")
def place(engine: Engine) -> Place:
    """The bundled model after the article's prompt."""
    return placed(engine, PROMPT)[0]


@pytest.fixture(scope="module")
def nasty(hostile: Model) -> list[Place]:
    """The hostile model, every token ranked, after hostile prompts and some tokens more."""
    return placed(Engine(hostile), "$x_{\u202e", "\x1b[31m日本 עברית", rulers=10**6, along=2)


def shown(pieces: Callable[[Console], Iterable[Any]], width: int, encoding: str = "utf-8") -> str:
    """What a terminal of some width receives; what its encoding cannot hold is an error."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    for piece in pieces(console):
        console.print(piece)
    stream.seek(0)
    return stream.read()


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NEGTEMP, "spectrum", *arguments], capture_output=True, text=True, timeout=120, env=os.environ | environment
    )


def without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in an interpreter that cannot import a module."""
    code = f"import sys; sys.modules[{module!r}] = None; from negtemp.cli.main import run; sys.exit(run(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "spectrum", *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [60, 100])
def test_the_report_fits_the_terminal(place: Place, width: int, encoding: str) -> None:
    text = shown(lambda console: thermo.report(*place, console), width, encoding)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "heat capacity C" in text
    assert text.isascii() == (encoding == "ascii")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_without_plotext_the_states_are_a_table_with_bars(
    place: Place, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    text = shown(lambda console: thermo.report(*place, console), 60, encoding)
    assert max(map(cell_len, text.splitlines())) <= 60
    rows = {line.split()[0]: line for line in text.splitlines() if line.split()}
    assert {"-inf", "-1000", "-100", "-1", "-0.01", "0", "0.01", "1", "100", "1000", "inf"} <= rows.keys()
    full = "#" if encoding == "ascii" else "█"
    assert rows["0"].count(full) > rows["1"].count(full) >= rows["inf"].count(full) == 0


def test_another_plotext_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 5 has no `figure`; the table is shown instead of an error."""
    older = types.ModuleType("plotext")
    older.__spec__ = importlib.machinery.ModuleSpec("plotext", None)
    monkeypatch.setitem(sys.modules, "plotext", older)
    assert not charts.available()


def test_a_chart_is_as_large_as_asked_and_shows_its_curve() -> None:
    panel = charts.Panel("rising", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], (0.0, 2.0), [(0.0, "a"), (2.0, "z")])
    lines = charts.lines(panel, 40, 10, ascii_only=True)
    assert [len(line) for line in lines] == [40] * 10
    assert "rising" in lines[0] and "a" in lines[-1] and "z" in lines[-1]
    columns = [line.index("*") for line in lines if "*" in line]
    assert columns == sorted(columns, reverse=True) and len(columns) > 4


def test_a_flat_curve_is_drawn_too(compiled: Any, tmp_path: Path) -> None:
    with Model(compiled, write_llama(tmp_path / "flat.gguf", spm_vocabulary([b"a"]), scale=0.0)) as model:
        (flat,) = placed(Engine(model), "a")
    text = shown(lambda console: thermo.report(*flat, console), 100)
    assert "tie for it" in text
    assert plots.spectrum([flat], ".png").startswith(b"\x89PNG")


def test_the_bars_are_shares_of_their_room() -> None:
    assert thermo.bar(1.0, 4, False) == "████"
    assert thermo.bar(0.0, 4, False) == ""
    assert thermo.bar(0.53125, 4, False) == "██▏"
    assert thermo.bar(0.5, 4, True) == "##"


def test_the_continuation_counts_its_dominant_tokens(engine: Engine) -> None:
    places = [summary for _, summary in placed(engine, PROMPT, along=4, betas=[0.0])]
    text = shown(lambda console: thermo.journey(places, console), 60)
    ids = [place.rulers.negative[0].token_id for place in places]
    changes = sum(a != b for a, b in pairwise(ids))
    assert f"below zero: top changed {changes} times in 4 steps, {len(set(ids))} different" in text
    assert max(map(cell_len, text.splitlines())) <= 60


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_nothing_hostile_reaches_the_terminal(nasty: list[Place], encoding: str) -> None:
    summaries = [summary for _, summary in nasty]

    def pieces(console: Console) -> Iterator[Any]:
        yield from thermo.report(*nasty[0], console)
        yield from thermo.report(*nasty[-1], console)
        yield from thermo.journey(summaries, console)

    text = shown(pieces, 100, encoding)
    assert raw(text) == set()
    assert "[red]markup[/red]" in text and ":smile:" in text


def test_a_byte_and_a_letter_stay_apart_in_ascii() -> None:
    from negtemp.printable import printable, to_ascii

    assert to_ascii(printable(b"\xf6")) == "\\xf6"
    assert to_ascii(printable("ö".encode())) == "\\u00f6"


@pytest.mark.parametrize(
    ("data", "label"),
    [
        ("é 'x'".encode(), "é 'x'"),
        ("日".encode(), "\\u65e5"),
        ("שלום".encode(), "\\u05e9\\u05dc\\u05d5\\u05dd"),
        (b"$x^{2}$ \\frac", "$x^{2}$ \\\\frac"),
        (b"\xff\x1b", "\\xff\\u001b"),
    ],
    ids=["drawable", "no-glyph", "right-to-left", "maths", "control"],
)
def test_a_label_is_what_the_font_can_draw(data: bytes, label: str) -> None:
    assert plots.text(data) == label


def test_every_hostile_token_makes_a_plot(nasty: list[Place]) -> None:
    """matplotlib warns of a missing glyph, and a warning is an error here."""
    for index, piece in enumerate(HOSTILE):
        assert plots.text(piece).isprintable(), index
    states, summary = nasty[0]
    for start in range(0, len(summary.rulers.negative), 140):
        tokens = summary.rulers.negative[start : start + 3]
        rolled = type(summary.rulers)(positive=summary.rulers.positive, negative=tokens)
        plots.spectrum([(states, dataclasses.replace(summary, rulers=rolled))], ".svg")
    assert plots.spectrum(nasty, ".png").startswith(b"\x89PNG")


def test_the_image_is_what_its_name_says_and_depends_on_the_records_alone(place: Place, tmp_path: Path) -> None:
    png = tmp_path / "s.PNG"
    assert call("--plot", str(png)).returncode == 0
    assert struct.unpack(">II", png.read_bytes()[16:24]) == (1320, 960)
    assert png.read_bytes() == plots.spectrum([place], ".png")
    assert ElementTree.fromstring(plots.spectrum([place], ".svg")).tag.endswith("svg")


def strict(line: str) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in {line}")

    record: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return record


def test_json_has_the_documented_fields() -> None:
    done = call("--json", "--betas=-inf,-1,0,inf", "--along", "1", "--beta", "-2")
    lines = [strict(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["header", *(["thermo"] * 4 + ["spectrum"]) * 2]
    states = lines[1:5]
    assert all(state.keys() == THERMO for state in states)
    assert [(state["beta"], state["temperature"]) for state in states] == [
        ("-inf", -0.0), (-1.0, -1.0), (0.0, "inf"), ("inf", 0.0),
    ]  # fmt: skip
    assert [state["token_id"] is None for state in states] == [False, False, True, False]
    assert (states[0]["log_z"], states[0]["probability"]) == (None, 1.0)
    assert lines[0]["settings"]["along_beta"] == -2.0
    assert lines[5]["following"]["token_id"] in range(lines[0]["model"]["vocabulary"])
    assert lines[10]["following"] is None


def test_the_folder_holds_what_json_prints(tmp_path: Path) -> None:
    done = call("--json", "--betas", "0", "-o", str(tmp_path / "run"))
    assert (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8") == done.stdout


def test_json_is_safe_to_print_over_a_hostile_vocabulary(hostile_path: Path) -> None:
    done = call("--json", "--all", "--betas", "1", "-m", str(hostile_path), "-p", "\u202e\x1b")
    assert raw(done.stdout) == set()
    pieces = {bytes.fromhex(token["bytes"]) for token in strict(done.stdout.splitlines()[-1])["rulers"]["positive"]}
    assert {piece.split(b"\0")[0] for piece in HOSTILE} <= pieces


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["--plot", "x.pdf"]),
        (2, ["--temp", "1"]),
        (2, ["--betas", "nan"]),
        (2, ["--betas", ""]),
        (2, ["--along", "-1"]),
        (1, ["--plot", "no such folder/x.png"]),
        (1, ["--mask", "normal,control,byte,unknown,unused,user-defined"]),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else str(value),
)
def test_bad_input_is_one_line_and_a_status(status: int, arguments: list[str]) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert done.stderr.startswith("negtemp: ")


def test_without_matplotlib_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = without("matplotlib", "--plot", str(tmp_path / "x.png"))
    assert done.returncode == 1
    assert done.stderr == "negtemp: --plot needs matplotlib; run: pip install 'negtemp[plot]'\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "full.png").symlink_to("/dev/full")
    done = call("--json", "--betas", "0", "--plot", str(tmp_path / "full.png"))
    assert done.returncode == 1
    assert "cannot write" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_the_records_are_of_their_own_kinds(place: Place) -> None:
    records: list[Record] = [*place[0], place[1]]
    assert {record.kind for record in records} == {"thermo", "spectrum"}
