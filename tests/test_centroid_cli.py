"""`negtemp centroid` as users type it: fields, controls, bad input, widths, hostile tokens, the image."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from models import spm_vocabulary, write_llama
from rich.cells import cell_len
from test_cli import assert_one_line, call, records
from test_console import raw

from negtemp.model import model_file

TOKEN = {
    "kind", "matrix", "token_id", "piece", "bytes", "category", "norm", "distance", "cosine", "percentile",
    "ordinary_percentile",
}  # fmt: skip
GEOMETRY = {
    "kind", "matrix", "tied", "type", "rows", "dim", "padding_rows", "centroid_norm", "norm_mean", "distance_mean",
    "distance_deviation", "quantiles", "categories",
}  # fmt: skip
PLACEMENT = {"kind", "matrix", "source", "among", "token_ids", "median_percentile", "auc", "p"}


def of_kind(lines: list[dict[str, Any]], kind: str, **fields: object) -> list[dict[str, Any]]:
    """The lines of one kind whose fields have these values."""
    return [line for line in lines if line["kind"] == kind and all(line[k] == v for k, v in fields.items())]


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tied model."""
    return write_llama(tmp_path_factory.mktemp("cli") / "tied.gguf", spm_vocabulary([b"a", b"b"]), tied=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved run of the bundled model below zero."""
    folder = tmp_path_factory.mktemp("run") / "below"
    assert call("run", "-n", "8", "--temp", "-0.001", "-o", str(folder)).returncode == 0
    return folder


def test_every_token_agrees_with_numpy_in_float64_and_has_the_documented_fields() -> None:
    lines = records("centroid", "--all")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(model_file.bundled()).tensors}
    for matrix, name in (("embedding", "token_embd.weight"), ("unembedding", "output.weight")):
        rows = gguf.dequantize(tensors[name].data, tensors[name].tensor_type).astype(np.float64)
        mean = rows.mean(axis=0)
        distances = np.linalg.norm(rows - mean, axis=1)
        tokens = of_kind(lines, "token", matrix=matrix)
        assert [line["token_id"] for line in sorted(tokens, key=lambda t: t["token_id"])] == list(range(len(rows)))
        assert [line["percentile"] for line in tokens] == sorted(line["percentile"] for line in tokens)
        for line in tokens:
            assert line.keys() == TOKEN
            row = rows[line["token_id"]]
            assert line["distance"] == pytest.approx(distances[line["token_id"]], rel=1e-4, abs=1e-4)
            assert line["norm"] == pytest.approx(np.linalg.norm(row), rel=1e-4)
            cosine = row @ mean / np.linalg.norm(row) / np.linalg.norm(mean)
            assert line["cosine"] == pytest.approx(cosine, abs=1e-4)
        (summary,) = of_kind(lines, "geometry", matrix=matrix)
        assert summary.keys() == GEOMETRY
        assert summary["distance_mean"] == pytest.approx(distances.mean(), rel=1e-4)


def test_a_run_is_placed_beside_both_controls(run: Path) -> None:
    lines = records("centroid", "--from", str(run))
    assert lines[0]["command"] == "centroid" and lines[0]["settings"]["from"] == str(run)
    placements = of_kind(lines, "placement", matrix="embedding", among="all")
    assert all(line.keys() == PLACEMENT for line in placements)
    assert [line["source"] for line in placements] == [
        "T=+0.001 (β=+1000), same prompts", "T=-0.001 (β=-1000)", "random hidden states",
    ]  # fmt: skip
    emitted = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    steps = {line["token_id"] for line in emitted if line["kind"] == "step"}
    assert set(placements[1]["token_ids"]) == steps
    # every emitted token has a record of its own
    assert steps <= {line["token_id"] for line in of_kind(lines, "token", matrix="embedding")}


def test_a_run_with_both_signs_needs_no_generating(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    assert call("compare", "-n", "4", "-o", str(folder)).returncode == 0
    lines = records("centroid", "--from", str(folder / "records.jsonl"))
    sources = [line["source"] for line in of_kind(lines, "placement", matrix="embedding", among="all")]
    assert sources == ["T=+0.001 (β=+1000)", "T=-0.001 (β=-1000)", "random hidden states"]


def test_tokens_by_name_and_by_id_are_placed(tied: Path) -> None:
    lines = records("centroid", "-m", str(tied), "--tokens", "a", "--ids", "5,260")
    assert of_kind(lines, "geometry")[0]["tied"] is True
    assert {line["matrix"] for line in lines[1:]} == {"embedding"}
    given, _ = of_kind(lines, "placement", source="given")
    assert given["token_ids"] == [5, 259, 260]


@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (1, ["--ids", "2048"], "ids 0 to 2047"),
        (2, ["--ids", "1.5"], "no token id"),
        (2, ["--ids", "x"], "not a number"),
        (2, ["--ids", ""], "empty"),
        (2, ["--tokens", "Temperature is a concept"], "is not one token of this vocabulary but"),
        (2, ["--tokens", ""], "no text"),
        (1, ["--from", "no such run"], "no such run"),
        (1, ["-m", "no such.gguf"], "no model file"),
        (2, ["--top", "0"], "top"),
        (2, ["--seed", "-7"], "seed"),
        (2, ["--plot", "x.bmp"], "png"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line(status: int, arguments: list[str], said: str) -> None:
    done = call("centroid", *arguments)
    assert_one_line(done, status)
    assert said in done.stderr


def test_a_run_without_steps_is_one_line(run: Path, tmp_path: Path) -> None:
    lines = (run / "records.jsonl").read_text().splitlines(keepends=True)
    path = tmp_path / "empty.jsonl"
    path.write_text(lines[0])
    done = call("centroid", "--from", str(path))
    assert_one_line(done, 1)
    assert "holds no steps" in done.stderr


def test_a_run_of_another_vocabulary_is_refused(run: Path, tied: Path) -> None:
    done = call("centroid", "-m", str(tied), "--from", str(run))
    assert_one_line(done, 1)
    assert "2048 tokens and this one has 261" in done.stderr


def test_a_file_without_embeddings_and_an_unknown_type_are_one_line(tied: Path, tmp_path: Path) -> None:
    name = b"token_embd.weight"
    data = tied.read_bytes()
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(data.replace(name, b"token_xxxx.weight"))
    done = call("centroid", "-m", str(renamed))
    assert_one_line(done, 1)
    assert "token_embd.weight" in done.stderr
    odd, at = tmp_path / "odd.gguf", data.index(name) + len(name) + 4 + 16
    odd.write_bytes(data[:at] + struct.pack("<i", 77) + data[at + 4 :])
    assert_one_line(call("centroid", "-m", str(odd)), 1)


@pytest.mark.parametrize("width", [60, 100])
def test_it_fits_the_terminal(run: Path, width: int) -> None:
    done = call("centroid", "--from", str(run), environment={"COLUMNS": str(width)})
    assert max(map(cell_len, done.stdout.splitlines())) <= width
    assert re.search(r"T=-0\.001 .*\d", done.stdout)


def test_hostile_tokens_are_shown_safely(hostile_path: Path) -> None:
    done = call("centroid", "-m", str(hostile_path), "--all")
    assert done.returncode == 0
    assert raw(done.stdout) == set()
    assert "\\u202eoverride" in done.stdout


@pytest.mark.parametrize("name", ["tied.png", "untied.svg"])
def test_the_plot_is_drawn(tied: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["-m", str(tied), "--ids", "5,9"] if name == "tied.png" else ["--ids", "300,400"]
    assert call("centroid", *arguments, "--plot", str(tmp_path / name)).returncode == 0
    assert (tmp_path / name).read_bytes()[:4] == (b"\x89PNG" if name == "tied.png" else b"<?xm")


def test_the_output_folder_holds_what_json_prints(tied: Path, tmp_path: Path) -> None:
    done = call("centroid", "-m", str(tied), "--json", "-o", str(tmp_path / "out"))
    assert (tmp_path / "out" / "records.jsonl").read_text() == done.stdout
