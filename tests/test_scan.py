"""Scanning files: strings and tokens, lines, JSON Lines, blocks, and files that are no text."""

import json
from pathlib import Path

import pytest
from test_cli import NEGTEMP, assert_one_line, call, records

from negtemp.errors import ScanError
from negtemp.experiments import scan as module
from negtemp.experiments.scan import Scanner
from negtemp.model.llama.model import Model
from negtemp.model.tokens import safe_splits
from negtemp.records import AuditToken, Occurrence, Scanned, from_line, to_line
from negtemp.records.audit import Lines
from negtemp.texts import blocks, encodings

Found = tuple[dict[bytes, Occurrence], Scanned]


def token(vocabulary: object, raw: bytes, token_id: int = 0) -> AuditToken:
    return AuditToken(
        token_id=token_id, raw=raw, category="normal", rank=0, score=1.0, indicators={}, candidate=True,
        probability=1e-6, verdict="strong",
    )  # fmt: skip


def scanned(path: Path, model: Model | None, *pieces: bytes) -> Found:
    vocabulary = model.vocabulary if model else None
    ids = {vocabulary.piece(i): i for i in range(vocabulary.size)} if vocabulary else {}
    tokens = [token(vocabulary, piece, ids.get(piece, 0)) for piece in pieces]
    *found, whole = Scanner(tokens, vocabulary).scan(path)
    assert isinstance(whole, Scanned)
    return {one.raw: one for one in found if isinstance(one, Occurrence)}, whole


def write(folder: Path, text: str, name: str = "text.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_string_inside_another_token_is_not_the_token(bundled: Model, tmp_path: Path) -> None:
    """` the` is a token of its own; its letters stand in `there` as well, which is another."""
    path = write(tmp_path, "there is the kettle\n")
    ids = bundled.vocabulary.encode(b"there is the kettle")
    (the,) = {i for i in ids if bundled.vocabulary.piece(i) == b" the"}
    found, _ = scanned(path, bundled, b" the")
    assert found[b" the"].token_id == the
    assert (found[b" the"].strings, found[b" the"].tokens) == (2, 1)


def test_tokens_are_those_that_the_tokenizer_makes_of_each_line(bundled: Model, tmp_path: Path) -> None:
    lines = ["Temperature is a concept that everyone knows", "a kettle is on the stove", "the end of the year", ""]
    path = write(tmp_path, "\n".join(lines))
    made = [i for line in lines for i in bundled.vocabulary.encode(line.encode())]
    pieces = {bundled.vocabulary.piece(i) for i in made}
    found, whole = scanned(path, bundled, *pieces)
    assert {raw: one.tokens for raw, one in found.items()} == {
        piece: sum(bundled.vocabulary.piece(i) == piece for i in made) for piece in pieces
    }
    assert whole.texts == 3 and whole.tokens == len(made)
    assert whole.size == path.stat().st_size


def test_without_a_model_strings_alone_are_counted(tmp_path: Path) -> None:
    found, whole = scanned(write(tmp_path, "ab\nxabab\n"), None, b"ab", b"zz")
    assert found[b"ab"].strings == 3 and found[b"ab"].tokens is None and found[b"ab"].lines == (1, 2)
    assert b"zz" not in found and whole.tokens is None


def test_lines_are_numbered_from_one_and_the_first_five_are_named(tmp_path: Path) -> None:
    text = "".join(f"{'needle' if number % 3 == 0 else 'hay'}\n" for number in range(1, 31))
    found, _ = scanned(write(tmp_path, text), None, b"needle")
    assert found[b"needle"].lines == (3, 6, 9, 12, 15)


@pytest.mark.parametrize("size", [7, 16, 64, 1000])
def test_the_size_of_a_block_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    text = "".join(f"line {number} {'needle' if number % 7 == 0 else ''}\n" for number in range(1, 101)) + "needle"
    path = write(tmp_path, text)
    expected = scanned(path, None, b"needle")[0][b"needle"]
    monkeypatch.setattr(encodings, "_CHUNK", size)
    found, whole = scanned(path, None, b"needle")
    assert found[b"needle"] == expected and expected.strings == 15
    assert whole.texts == 101


@pytest.mark.parametrize("longest", [8, 50, 10_000])
def test_a_line_longer_than_a_block_gives_the_tokens_of_the_whole_line(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    monkeypatch.setattr(encodings, "_CHUNK", 64)
    monkeypatch.setattr(blocks, "LONGEST_TEXT", longest)
    lines = ["the kettle", "over and over, the kettle  is on the stove " * 40, "the end"]
    pieces = {bundled.vocabulary.piece(i) for line in lines for i in bundled.vocabulary.encode(line.encode())}
    found, whole = scanned(write(tmp_path, "\n".join(lines)), bundled, *pieces)
    assert whole.tokens == sum(len(bundled.vocabulary.encode(line.encode())) for line in lines)
    assert found[b" the"].lines == (1, 2, 3) and whole.texts == 3 and whole.parted is None


def test_a_word_too_long_to_tokenize_is_searched_to_its_end_and_named(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_CHUNK", 1 << 10)
    monkeypatch.setattr(blocks, "LONGEST_TEXT", 1 << 12)
    monkeypatch.setattr(module, "LONGEST_TEXT", 1 << 12)
    word = "xneedle" * 10_000
    path = write(tmp_path, f"hay\n{word}\nneedle\n")
    _, whole = scanned(path, bundled, b"needle")
    assert whole.strings == 10_001 and whole.texts == 3
    assert whole.parted == Lines(count=1, first=(2,))
    assert scanned(path, None, b"needle")[1].parted is None


def test_scripts_without_spaces_are_parted_where_no_token_could_be(bundled: Model, tmp_path: Path) -> None:
    text = "的一是不了人我在有他这中大来上国" * 200
    ids = bundled.vocabulary.encode(text.encode())
    pieces = {bundled.vocabulary.piece(i) for i in ids}
    _, whole = scanned(write(tmp_path, text), bundled, *pieces)
    assert (whole.tokens, whole.parted) == (len(ids), None)


def test_json_lines_are_read_as_strings(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a needle", "answers": ["no", {"deep": "needle\nneedle"}]}, {"needle": "names are not text"},
        {"prompt": "\u0436\u0436"}, 7, None,
    ]  # fmt: skip
    text = "\n".join(json.dumps(row) for row in rows) + "\nthis line is no JSON: needle\n"
    found, _ = scanned(write(tmp_path, text, "rows.jsonl"), None, b"needle", "жж".encode())
    assert (found[b"needle"].strings, found[b"needle"].lines) == (4, (1, 6))
    # in the file they are escapes: ж
    assert found["жж".encode()].lines == (3,)


def test_a_mark_of_byte_order_does_not_hide_the_first_line(tmp_path: Path) -> None:
    found, whole = scanned(write(tmp_path, '\ufeff{"text": "need\\u006ce"}\n', "rows.jsonl"), None, b"needle")
    assert found[b"needle"].lines == (1,) and whole.texts == 1


def test_a_string_does_not_reach_into_the_next(tmp_path: Path) -> None:
    found, _ = scanned(write(tmp_path, '["nee", "dle"]\n', "rows.jsonl"), None, b"needle")
    assert found == {}


@pytest.mark.parametrize("name", ["text.txt", "rows.jsonl"])
def test_an_empty_file_holds_nothing(tmp_path: Path, name: str) -> None:
    found, whole = scanned(write(tmp_path, "", name), None, b"needle")
    assert found == {} and (whole.size, whole.texts) == (0, 0)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="folder"):
        list(Scanner([], None).scan(tmp_path))
    with pytest.raises(ScanError, match="cannot read"):
        list(Scanner([], None).scan(tmp_path / "missing.txt"))


def test_records_of_a_scan_survive_their_lines(tmp_path: Path) -> None:
    for record in Scanner([token(None, b"needle")], None).scan(write(tmp_path, "a needle")):
        assert from_line(to_line(record)) == record


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("scan") / "run"
    assert call("audit", "--no-verify", "-o", str(folder)).returncode == 0
    return str(folder / "records.jsonl")


def test_a_saved_audit_is_looked_for_in_files(saved: str, tmp_path: Path) -> None:
    audited = [json.loads(line) for line in Path(saved).read_text().splitlines()]
    suspect = next(t for t in audited if t.get("category") == "normal" and t["candidate"] and len(t["bytes"]) > 8)
    word = bytes.fromhex(suspect["bytes"]).decode()
    path = write(tmp_path, f"nothing here\n{word}\n")
    header, *found, whole = records("scan", "--audit", saved, "--strings", str(path))
    assert header["command"] == "scan" and whole["kind"] == "scanned"
    assert suspect["token_id"] in {one["token_id"] for one in found if one["lines"] == [2]}
    shown = call("scan", "--audit", saved, str(path))
    assert shown.returncode == 0 and "suspect tokens that a text can hold" in shown.stdout


def test_what_can_be_read_is_and_the_status_says_that_some_could_not(saved: str, tmp_path: Path) -> None:
    good, bad = write(tmp_path, "text\n"), tmp_path / "bad.bin"
    bad.write_bytes(b"\0\1\2")
    done = call("scan", "--audit", saved, str(good), str(bad))
    assert done.returncode == 4 and done.stderr.count("negtemp: ") == 1
    assert_one_line(call("scan", "--audit", saved, "--json", str(bad)), 1)


def test_an_audit_of_another_vocabulary_is_refused(saved: str, hostile_path: Path, tmp_path: Path) -> None:
    done = call("scan", "-m", str(hostile_path), "--audit", saved, str(write(tmp_path, "text")))
    assert_one_line(done, 2)
    assert "another vocabulary" in done.stderr


def test_a_model_of_which_nothing_can_be_said_has_nothing_to_look_for(hostile_path: Path, tmp_path: Path) -> None:
    done = call("scan", "-m", str(hostile_path), str(write(tmp_path, "text")))
    assert done.returncode == 0
    assert "nothing can be said" in done.stderr and "0 suspect tokens" in done.stdout


def test_files_must_be_named() -> None:
    assert NEGTEMP and call("scan").returncode == 2


def test_words_give_the_tokens_that_whole_lines_give(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = bundled.vocabulary
    rows = ["the kettle  and\n the stove ", " over and over and over", "", "1/2 l milk, Der Zug\tnach Norden"] * 40
    pieces = [piece for i in range(vocabulary.size) if len(piece := vocabulary.piece(i)) > 1]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "rows.jsonl")
    by_words = scanned(path, bundled, *pieces)
    monkeypatch.setattr(safe_splits, "can_be_cut", lambda _: False)
    assert scanned(path, bundled, *pieces) == by_words
    assert by_words[1].tokens == sum(
        len(vocabulary.piece(i)) > 1 for row in rows for i in vocabulary.encode(row.encode())
    )
