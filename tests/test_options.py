"""Options as people type them who know llama.cpp, and texts that come as files, marks and pipes."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from negtemp.cli import options, plan
from negtemp.errors import ModelError, PromptError, UsageError
from negtemp.experiments.known_tokens import read_counts
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model import model_file
from negtemp.runs import audits, reading

NEGTEMP = str(Path(sys.executable).with_name("negtemp"))
BOM = b"\xef\xbb\xbf"


def completion(*arguments: str, stdin: bytes = b"", remark: str = "") -> dict[str, Any]:
    """The completion that `negtemp run` gives; `remark` must be said on standard error, or nothing."""
    command = [NEGTEMP, "run", "-t", "1", "--json", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=True)
    said = done.stderr.decode()
    assert remark in said if remark else not said
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_llama_cpps_words_mean_what_they_mean_there() -> None:
    given = completion("-n", "-1", "-c", "16", "-ngl", "all", "--temperature", "-0.001", "--ignore-eos")
    assert given["stop"] == "context"
    assert len(given["prompt_token_ids"]) + len(given["token_ids"]) == 16
    few = completion("--max-tokens", "3", "-c", "0", "-ngl", "auto", "--temp", "-0.001", "--ignore-eos")
    assert (few["stop"], few["token_ids"]) == ("length", given["token_ids"][:3])


@pytest.mark.parametrize("number", [0, -2])
def test_a_length_of_nothing_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match="give a whole number of at least 1, or -1"):
        Settings(n_predict=number)


def test_layers_that_are_no_number_are_a_usage_error() -> None:
    done = subprocess.run([NEGTEMP, "run", "-ngl", "some"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "give a whole number, or all" in done.stderr


def test_a_prompt_from_standard_input_is_that_prompt() -> None:
    given = completion("-f", "-", "-n", "1", stdin=BOM + PROMPT.encode() + b"\r\n")
    assert given["prompt"] == PROMPT


def test_standard_input_cannot_be_two_prompts() -> None:
    with pytest.raises(PromptError, match="can be read once"):
        options.prompts(None, [Path("-"), Path("-")])


@pytest.mark.parametrize("data", [b"a\n", BOM + b"a\r\n", "a\n".encode("utf-16"), b"a"])
def test_a_prompt_file_is_its_text_less_marks_and_one_line_end(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p").write_bytes(data)
    assert options.prompts(None, [tmp_path / "p"]) == ["a"]


def test_a_plan_and_counts_may_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_bytes(BOM + b'prompts = ["x"]\r\n')
    assert plan.read(tmp_path / "p.toml") == {"prompt": ["x"]}
    (tmp_path / "c.json").write_bytes(BOM + b'{"counts": [1, 2]}')
    assert read_counts(tmp_path / "c.json", 2).tolist() == [1, 2]


def test_a_prompt_that_begins_with_the_models_own_beginning_is_remarked_on() -> None:
    given = completion("-p", "<s>a", "-n", "1", remark="begin with <s>, which this model puts before every prompt")
    assert given["prompt_token_ids"][:2] == [1, 1]


@pytest.fixture(scope="module")
def saved_audit(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    command = [NEGTEMP, "audit", "--no-verify", "--all", "--json", "-t", "1"]
    return subprocess.run(command, capture_output=True, check=True, cwd=tmp_path_factory.mktemp("audit")).stdout


def test_a_saved_audit_reads_the_same_with_a_mark_and_through_a_pipe(saved_audit: bytes, tmp_path: Path) -> None:
    plain, marked, pipe = tmp_path / "plain", tmp_path / "marked", tmp_path / "pipe"
    plain.write_bytes(saved_audit)
    marked.write_bytes(BOM + saved_audit)
    os.mkfifo(pipe)
    assert all(map(reading.is_run, (plain, marked, pipe)))
    writer = threading.Thread(target=pipe.write_bytes, args=(saved_audit,))
    writer.start()
    assert audits.read(plain) == audits.read(marked) == audits.read(pipe)
    writer.join()


def test_a_model_in_a_pipe_is_refused_by_name_and_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "model.gguf"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match=r"model\.gguf is a pipe or a device"):
        model_file.check(pipe)
    with pytest.raises(ModelError, match="cannot come from standard input"):
        model_file.resolve("-")
    assert not reading.is_run(model_file.bundled())


@pytest.mark.parametrize(
    ("text", "expected"), [("1-4", [1, 2, 3, 4]), ("7, 2-3,2", [7, 2, 3, 2]), ("5-5", [5]), ("-1,1e3", [-1, 1000])]
)
def test_whole_numbers_may_be_given_as_ranges(text: str, expected: list[int]) -> None:
    assert options.whole_numbers("--seeds", text) == expected


@pytest.mark.parametrize("text", ["3-1", "0-1000000", "1-", "1-2-3", "1.5-3", "", "9" * 5000 + "-1"])
def test_what_is_no_range_of_whole_numbers_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        options.whole_numbers("--seeds", text)
