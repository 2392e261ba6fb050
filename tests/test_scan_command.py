"""`negtemp scan` as users type it: pipes, marks, layouts, what it names, what it counts, narrow terminals, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from test_cli import NEGTEMP, assert_one_line, call, strict

TEXTS = ["a\nSeptember", "субота in субота", "x\tmardi le mardi"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    with path.open("w") as file:
        assert call("audit", "--no-verify", "--json", "--all", stdout=file).returncode == 0
    return str(path)


def records(saved: str, *arguments: str, given: str = os.devnull) -> list[dict[str, Any]]:
    with open(given, "rb") as file:
        done = subprocess.run(
            [NEGTEMP, "scan", "--audit", saved, "--json", *arguments], stdin=file, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [strict(line) for line in done.stdout.splitlines()]


def counts(found: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {one["bytes"]: (one["tokens"], one["strings"]) for one in found if one["kind"] == "occurrence"}


def test_every_layout_and_every_way_in_gives_the_same_counts(saved: str, tmp_path: Path) -> None:
    rows = [{"t": text} for text in TEXTS]
    layouts = {
        "good.jsonl": "\n".join(map(json.dumps, rows)), "array.json": json.dumps(rows),
        "pretty.json": json.dumps(rows, indent=1), "commas.jsonl": ",\n".join(map(json.dumps, rows)),
        "raw.ndjson": "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "bom.json": "\ufeff" + json.dumps(rows),
    }  # fmt: skip
    for name, text in layouts.items():
        (tmp_path / name).write_bytes(text.encode())
    paths = [str(tmp_path / name) for name in layouts]
    found = records(saved, *paths)
    expected = counts([one for one in found if one.get("file") == paths[0]])
    assert sum(tokens for tokens, _ in expected.values()) == 4
    for path in paths[1:]:
        assert counts([one for one in found if one.get("file") == path]) == expected
    assert counts(records(saved, "-", given=paths[1])) == expected
    assert counts(records(saved, "/dev/stdin", given=paths[0])) == expected


def test_process_substitution_is_a_file(saved: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("le mardi et September\n")
    command = f'"{NEGTEMP}" scan --audit "{saved}" --json <(cat "{path}")'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=120)
    expected = counts(records(saved, str(path)))
    assert counts([strict(line) for line in done.stdout.splitlines()]) == expected and expected


def test_standard_input_can_be_named_once(saved: str) -> None:
    assert_one_line(call("scan", "--audit", saved, "-", "-"), 2)


def test_a_file_in_another_encoding_is_refused_until_that_is_named(saved: str, tmp_path: Path) -> None:
    path = tmp_path / "cp1251.txt"
    path.write_bytes("субота in субота le mardi".encode("cp1251"))
    done = call("scan", "--audit", saved, str(path))
    assert done.returncode == 1
    assert "is not UTF-8 text: byte 0xf1 at offset 0" in done.stderr and "--encoding" in done.stderr
    found = records(saved, "--encoding", "windows-1251", str(path))
    assert sum(tokens for tokens, _ in counts(found).values()) == 3
    done = call("scan", "--audit", saved, "--encoding", "windows-1521", str(path))
    assert_one_line(done, 2)
    assert "did you mean windows-125" in done.stderr


def test_what_could_not_be_read_as_json_is_counted(saved: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"t": "le mardi"}\nprose\n{"t": "le mardi \xff"}\n')
    done = call("scan", "--audit", saved, str(path))
    assert "1 line (2) could not be read as JSON" in done.stdout
    assert "1 line (3) could not be read as JSON in UTF-8" in done.stdout
    assert done.returncode == 4
    assert "2 suspect tokens" in done.stdout


def test_files_are_looked_at_before_the_audit(hostile_path: Path, tmp_path: Path) -> None:
    """Of a model that does not even exist."""
    done = call("scan", "-m", str(tmp_path / "missing.gguf"), str(tmp_path / "missing.txt"))
    assert_one_line(done, 1)
    assert "missing.txt" in done.stderr
    done = call("scan", "-m", str(tmp_path / "missing.gguf"), "--format", "xml", str(hostile_path))
    assert_one_line(done, 2)


def test_the_rest_is_read_where_a_file_cannot_be(saved: str, tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("le mardi\n")
    done = call("scan", "--audit", saved, str(tmp_path), str(good), str(tmp_path / "missing.txt"))
    assert done.returncode == 4
    assert done.stderr.count("negtemp: ") == 2 and "is a folder" in done.stderr
    assert "1 suspect token," in done.stdout


def test_the_rows_add_up_to_what_the_line_of_the_file_says(saved: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("le mardi et September\nmardi et mardi\nszombat\n")
    done = call("scan", "--audit", saved, "--all", str(path))
    rows = re.findall(r"^ +(\d+) +(\d+) +\d+ +\S+ +\S+ +\S+:", done.stdout, re.MULTILINE)
    said = re.search(r", 3 lines: (\d+) suspect tokens, their text stands in (\d+) places", done.stdout)
    assert said is not None, done.stdout
    assert [sum(int(row[column]) for row in rows) for column in (0, 1)] == [int(said[1]), int(said[2])]


@pytest.mark.parametrize("columns", ["60", "100"])
def test_neither_a_number_nor_a_path_is_broken(saved: str, tmp_path: Path, columns: str) -> None:
    folder = tmp_path / "a rather long name of a folder with spaces in it"
    folder.mkdir()
    path = folder / "notes.txt"
    path.write_text("le mardi et September\n")
    done = call("scan", "--audit", saved, str(path), environment={"COLUMNS": columns})
    assert done.stdout.count(f"{path}:1\n") == done.stdout.count(f"{path}:1") > 0
    assert f"{path}: 22 bytes, 1 line: " in done.stdout
    assert "…" not in done.stdout


def test_ctrl_c_shows_what_was_found_until_then(saved: str, tmp_path: Path) -> None:
    pipe, good = tmp_path / "pipe", tmp_path / "good.txt"
    good.write_text("le mardi\n")
    os.mkfifo(pipe)
    command = [NEGTEMP, "scan", "--audit", saved, str(good), str(pipe)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process, pipe.open("w") as writer:
        writer.write("le mardi\n" * 300_000)
        writer.flush()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"{good}: 9 bytes, 1 line: 1 suspect token, its text stands in 1 place" in out
    assert "interrupted" in out and "interrupted after" in err
    assert "Traceback" not in err


def test_progress_is_said_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from negtemp.views import progress

    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    out = io.StringIO()
    with progress.of_bytes("notes.txt", Console(file=out)) as advance:
        time.sleep(0.001)
        advance(3_000_000, 10_000_000)
        advance(4_000_000, None)
    assert out.getvalue() == "notes.txt: 3 of 10 MB read\nnotes.txt: 4 MB read\n"
