"""`negtemp audit` as users type it: records, files, differences, and one line for what cannot be audited."""

import json
from pathlib import Path
from typing import Any

import gguf
import pytest
from halflearned import write_half_learned
from models import write_llama
from test_cli import assert_one_line, call, records
from vocabularies import spm_vocabulary

from negtemp.model import model_file

TOKEN = {"kind", "token_id", "piece", "bytes", "category", "rank", "score", "indicators", "probability", "verdict"}
TINY = str(model_file.bundled())


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_half_learned(tmp_path_factory.mktemp("cli") / "half.gguf")[0]


@pytest.fixture(scope="module")
def lines(half: Path) -> list[dict[str, Any]]:
    return records("audit", "-m", str(half), "--all")


def test_json_has_the_documented_fields_for_every_token(lines: list[dict[str, Any]]) -> None:
    header, *tokens, whole = lines
    assert header["command"] == "audit" and whole["kind"] == "audit"
    assert len(tokens) == header["model"]["vocabulary"]
    assert all(token.keys() >= TOKEN and {"thermal", "input_norm"} <= token["indicators"].keys() for token in tokens)
    assert [token["rank"] for token in tokens] == list(range(len(tokens)))
    assert {token["verdict"] for token in tokens} <= {"strong", "weak", "rejected", None}


def test_a_name_given_counts_as_unused(half: Path) -> None:
    header, *tokens, _ = records("audit", "-m", str(half), "--all", "--no-verify", "--unused", "zq*")
    assert {token["piece"] for token in tokens if token["category"] == "unused"} == {"zq", "zqx"}
    assert header["settings"]["unused"] == ["zq*"]


def test_a_name_that_fits_every_token_is_one_line(half: Path) -> None:
    assert_one_line(call("audit", "-m", str(half), "--unused", "*"), 2)


def test_without_all_only_what_was_looked_at_has_a_record(half: Path, lines: list[dict[str, Any]]) -> None:
    few = records("audit", "-m", str(half), "--no-verify")[1:-1]
    assert 0 < len(few) < len(lines) and all(token["candidate"] for token in few)


def test_files_are_written(half: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("ban.json", "report.md", "list.csv")]
    done = call("audit", "-m", str(half), "--ban", str(paths[0]), "--report", str(paths[1]), "--csv", str(paths[2]))
    assert done.returncode == 0, done.stderr
    banned = json.loads(paths[0].read_text())["logit_bias"]
    assert banned and set(banned.values()) == {-100}
    assert paths[1].read_text().startswith("# Under-trained tokens")
    assert len(paths[2].read_text().splitlines()) > len(banned)


def test_the_bundled_model_is_audited_against_its_counts() -> None:
    done = call("audit", "--no-verify", "--truth", str(model_file.bundled().with_name("tiny.counts.json")))
    assert done.returncode == 0, done.stderr
    assert "precision" in done.stdout and "recall" in done.stdout


def test_a_saved_audit_does_not_differ_from_its_model(half: Path, tmp_path: Path) -> None:
    assert call("audit", "-m", str(half), "--all", "-o", str(tmp_path / "run")).returncode == 0
    saved = str(tmp_path / "run" / "records.jsonl")
    (*changes, whole) = records("audit", "--diff", saved, str(half))[1:]
    assert changes == [] and whole["kind"] == "difference" and whole["correlation"] == 1.0
    shown = call("audit", "--diff", saved, saved)
    assert "0 became suspect" in shown.stdout


def test_a_saved_audit_of_candidates_alone_cannot_be_compared(half: Path, tmp_path: Path) -> None:
    assert call("audit", "-m", str(half), "--no-verify", "-o", str(tmp_path / "run")).returncode == 0
    saved = str(tmp_path / "run" / "records.jsonl")
    done = call("audit", "--diff", saved, saved)
    assert_one_line(done, 2)
    assert "--all" in done.stderr


def test_models_of_different_vocabularies_are_not_compared(half: Path) -> None:
    done = call("audit", "--no-verify", "--diff", str(half), TINY)
    assert_one_line(done, 2)
    assert "one vocabulary" in done.stderr


@pytest.mark.parametrize("option", ["--truth", "--ban", "--report", "--csv"])
def test_an_option_that_a_comparison_cannot_mean_is_refused(option: str) -> None:
    done = call("audit", "--diff", TINY, TINY, option, "file")
    assert_one_line(done, 2)
    assert option in done.stderr


def test_random_weights_give_no_list(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "random.gguf", spm_vocabulary([b"a", b"b", b"ab", b"ba", b"aa", b"bb"]))
    done = call("audit", "-m", str(model))
    assert done.returncode == 0
    assert "nothing can be said" in done.stdout and "rank" not in done.stdout


def write_vocabulary_only(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece for piece, _ in spm_vocabulary([b"a"])])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_encoder(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_causal_attention(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_of_nothing_but_a_vocabulary_is_one_line(tmp_path: Path) -> None:
    assert_one_line(call("audit", "-m", str(write_vocabulary_only(tmp_path / "vocab.gguf"))), 1)


def test_an_encoder_is_one_line(tmp_path: Path) -> None:
    assert_one_line(call("audit", "-m", str(write_encoder(tmp_path / "bert.gguf"))), 1)


def test_a_tokenizer_that_gives_nothing_back_is_one_line(tmp_path: Path) -> None:
    done = call("audit", "-m", str(write_llama(tmp_path / "broken.gguf", spm_vocabulary([b"xyz", b"qrs"]))))
    assert_one_line(done, 1)
    assert "comes back from text" in done.stderr


@pytest.mark.parametrize("wanted", ["0", "-5", "x", "2.5", "0%", "101%", "nan", "nan%", "%"])
def test_candidates_that_cannot_be_meant_are_one_line(wanted: str) -> None:
    assert_one_line(call("audit", f"--candidates={wanted}"), 2)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"counts": [1, 2]}', '{"counts": ["a"]}', "\x00"])
def test_a_file_of_counts_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "counts.json").write_text(text)
    assert_one_line(call("audit", "--no-verify", "--truth", str(tmp_path / "counts.json")), 2)


@pytest.mark.parametrize("text", ["{", '{"kind":"nonsense"}\n', '{"kind":"header"}\n'])
def test_records_that_are_no_audit_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "saved.jsonl").write_text(text)
    done = call("audit", "--diff", str(tmp_path / "saved.jsonl"), str(tmp_path / "saved.jsonl"))
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--report", "--csv", "--ban"])
def test_a_file_that_cannot_be_written_is_one_line_before_the_audit(tmp_path: Path, option: str) -> None:
    assert_one_line(call("audit", option, str(tmp_path / "no" / "such")), 1)
    assert_one_line(call("audit", option, str(tmp_path)), 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(half: Path) -> None:
    done = call("audit", "-m", str(half), "--no-verify", "--csv", "/dev/full")
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("negtemp: cannot write")


def test_a_hostile_vocabulary_is_shown_safely_everywhere(hostile_path: Path, tmp_path: Path) -> None:
    report, table = tmp_path / "report.md", tmp_path / "list.csv"
    done = call("audit", "-m", str(hostile_path), "--all", "--report", str(report), "--csv", str(table))
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, report.read_text(), table.read_text()):
        assert not set("\x1b\x07\x08\u202e\u2066\u200b\u200d\u009b\ufeff") & set(text)
