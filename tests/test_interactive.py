"""`negtemp run --interactive`: lines in, answers out, as one long prompt or as a conversation."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from models import spm_vocabulary, write_llama
from test_cli import NEGTEMP, assert_one_line, call
from test_prompts import CHATML, model_with

import negtemp
from negtemp.model.library import Library
from negtemp.model.llama.model import Model


def talk(lines: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A session that is typed these lines."""
    return subprocess.run(
        [NEGTEMP, "run", "--interactive", *arguments], input=lines, capture_output=True, text=True, timeout=120
    )


def turns(folder: Path, lines: str, *arguments: str) -> list[dict[str, Any]]:
    """The completions of a session."""
    done = talk(lines, "-o", str(folder), *arguments)
    assert done.returncode == 0, done.stderr
    written = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return [record for record in written if record["kind"] == "completion"]


def test_a_line_is_put_right_after_what_came_before(bundled: Model, tmp_path: Path) -> None:
    first, second = turns(tmp_path / "o", "Temperature is\n and\n", "-n", "6")
    alone = negtemp.load().complete("Temperature is", temperature=-0.001, n_predict=6)
    assert first["token_ids"] == list(alone.token_ids)
    typed = bundled.vocabulary.encode(b" and")
    assert second["prompt_token_ids"] == first["prompt_token_ids"] + first["token_ids"] + typed
    assert [first["sequence"], second["sequence"]] == [0, 1]


def test_an_empty_line_goes_on(tmp_path: Path) -> None:
    parts = turns(tmp_path / "o", "Temperature is\n\n\n", "-n", "4", "--temp", "0")
    whole = negtemp.load().complete("Temperature is", temperature=0.0, n_predict=12)
    drawn = [token_id for part in parts for token_id in part["token_ids"]]
    assert drawn == list(whole.token_ids)


def test_what_is_set_between_lines_holds_for_the_next(tmp_path: Path) -> None:
    lines = "a\n/temp 2\n/seed 7\n/n 3\nb\n/beta -inf\nc\n"
    first, second, third = turns(tmp_path / "o", lines, "-n", "2")
    assert (first["temperature"], first["seed"], len(first["token_ids"])) == (-0.001, 1, 2)
    assert (second["temperature"], second["seed"], len(second["token_ids"])) == (2.0, 7, 3)
    assert third["beta"] == "-inf"


def test_undo_takes_back_a_line_and_its_answer(bundled: Model, tmp_path: Path) -> None:
    first, _, third = turns(tmp_path / "o", "a\nb\n/undo\n c\n", "-n", "2")
    typed = bundled.vocabulary.encode(b" c")
    assert third["prompt_token_ids"] == first["prompt_token_ids"] + first["token_ids"] + typed


def test_new_begins_anew_and_two_slashes_are_one(bundled: Model, tmp_path: Path) -> None:
    _, second = turns(tmp_path / "o", "a\n/new\n//temp\n", "-n", "2")
    assert second["prompt_token_ids"] == bundled.vocabulary.tokenize("/temp")


def test_in_a_chat_what_came_before_are_messages_and_answers(compiled: Library, tmp_path: Path) -> None:
    path = model_with(CHATML, tmp_path / "m.gguf")
    first, second = turns(tmp_path / "o", "a\nb\n", "-m", str(path), "--chat", "--system", "Be.", "-n", "3")
    with Model(compiled, path) as model:
        answer = model.vocabulary.detokenize(first["token_ids"]).decode("utf-8", "replace")
        expected = (
            "<|im_start|>system\nBe.<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
            f"<|im_start|>assistant\n{answer}<|im_end|>\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n"
        )
        assert second["prompt_token_ids"] == model.vocabulary.tokenize(expected)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("/foo", "/foo is no command"), ("/temp hot", "/temp takes a number"), ("/n 1.5", "/n takes a whole number"),
     ("/temp nan", "temperature cannot be"), ("/undo", "nothing to take back"), ("/n 0", "--n-predict is 0"),
     ("/seed -7", "out of range")],
)  # fmt: skip
def test_what_cannot_be_done_is_told_and_the_session_goes_on(typed: str, said: str) -> None:
    done = talk(f"{typed}\nTemperature is\n", "-n", "2")
    assert done.returncode == 0
    assert said in done.stderr and "Traceback" not in done.stderr
    assert "2 tokens" in done.stderr


def test_a_context_that_is_full_is_told_and_can_be_left(tmp_path: Path) -> None:
    done = talk("Temperature is\n" + "\n" * 3 + "/new\na\n", "-n", "20", "-c", "32")
    assert done.returncode == 0
    assert "the context 32" in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("20 tokens")


def test_prompts_that_are_given_come_first(bundled: Model, tmp_path: Path) -> None:
    given, typed = turns(tmp_path / "o", "b\n", "-p", "a", "-n", "2")
    assert given["prompt_token_ids"] == bundled.vocabulary.tokenize("a")
    assert typed["sequence"] == 1


def test_text_shows_all_there_is() -> None:
    done = talk("Temperature is\n/text\n", "-n", "4", "--temp", "0")
    assert done.stdout.splitlines()[-1].startswith("<s> Temperature is")


@pytest.mark.parametrize("option", [["--json"], ["--prompt-ids", "1"]], ids=str)
def test_it_goes_with_no_option_that_leaves_no_place_to_type(option: list[str]) -> None:
    assert_one_line(call("run", "--interactive", *option), 2)


def test_ctrl_c_ends_an_answer_and_keeps_it(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "long.gguf", spm_vocabulary([b"a", b"b"]), context=100_000)
    arguments = [NEGTEMP, "run", "-i", "-m", str(model), "-n", "90000", "--ignore-eos"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"a\n")
        process.stdin.flush()
        os.read(process.stdout.fileno(), 1)  # it answers
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(b"/n 5\n\n", timeout=120)
    assert process.returncode == 0, said
    assert b"interrupted" in said and b"5 tokens" in said
    assert b"Traceback" not in said
