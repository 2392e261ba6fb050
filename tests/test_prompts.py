"""Prompts that are no plain text: token ids, and messages that the model's chat template frames."""

from pathlib import Path
from typing import Any

import jinja2
import pytest
from models import spm_vocabulary, write_llama
from test_cli import assert_one_line, call, strict

from negtemp.errors import PromptError
from negtemp.model.library import Library
from negtemp.model.llama import chat
from negtemp.model.llama.model import Model

CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}a"


def records(*arguments: str) -> list[dict[str, Any]]:
    return [strict(line) for line in call(*arguments, "--json").stdout.splitlines()]


def model_with(template: str | None, path: Path) -> Path:
    return write_llama(path, spm_vocabulary([b"a", b"b"]), context=512, chat_template=template)


def test_a_prompt_of_ids_gives_what_its_text_gives() -> None:
    given = records("run", "-p", "Temperature is a concept", "-n", "5", "--beta=-1")
    ids = ",".join(map(str, given[-1]["prompt_token_ids"]))
    again = records("run", "--prompt-ids", ids, "-n", "5", "--beta=-1")
    assert [step["token_id"] for step in again[1:-1]] == [step["token_id"] for step in given[1:-1]]
    assert again[0]["settings"]["prompt_ids"] == [given[-1]["prompt_token_ids"]]


@pytest.mark.parametrize("command", ["compare", "spectrum"])
def test_every_command_of_one_prompt_takes_ids(command: str) -> None:
    header = records(command, "--prompt-ids", "1 450", "--prompt-ids", "1,7")[0]
    assert header["settings"]["prompt_ids"] == [[1, 450], [1, 7]]


@pytest.mark.parametrize(("ids", "said"), [("1,x", "whole numbers"), (",", "at least one"), ("1,99999", "99999")])
def test_ids_that_are_none_are_refused(ids: str, said: str) -> None:
    done = call("run", "--prompt-ids", ids)
    assert_one_line(done, 1)
    assert said in done.stderr


@pytest.mark.parametrize("system", [None, "Answer in French."])
def test_a_message_is_framed_as_the_template_says(compiled: Library, tmp_path: Path, system: str | None) -> None:
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": "Who?"})
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    expected = environment.from_string(CHATML).render(messages=messages, add_generation_prompt=True)
    with Model(compiled, model_with(CHATML, tmp_path / "m.gguf")) as model:
        assert chat.rendered(model, "Who?", system) == expected


def test_a_bos_that_the_tokenizer_adds_is_not_there_twice(compiled: Library, tmp_path: Path) -> None:
    with Model(compiled, model_with(NO_SYSTEM, tmp_path / "m.gguf")) as model:
        assert chat.rendered(model, "Who?") == "a"


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [(None, None, "holds no chat template"), (NO_SYSTEM, "Be brief.", "no system"), ("{{ nonsense", None, "fails")],
    ids=["none", "refuses", "broken"],
)
def test_a_template_that_cannot_is_one_line(
    compiled: Library, tmp_path: Path, template: str | None, system: str | None, said: str
) -> None:
    with (
        Model(compiled, model_with(template, tmp_path / "m.gguf")) as model,
        pytest.raises(PromptError, match=said) as refused,
    ):
        chat.rendered(model, "Who?", system)
    assert "\n" not in str(refused.value)


def test_a_template_runs_in_a_sandbox(compiled: Library, tmp_path: Path) -> None:
    hostile = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with Model(compiled, model_with(hostile, tmp_path / "m.gguf")) as model, pytest.raises(PromptError, match="unsafe"):
        chat.rendered(model, "Who?")


def test_the_framed_prompt_is_in_the_record(tmp_path: Path) -> None:
    model = model_with(CHATML, tmp_path / "m.gguf")
    done = call("run", "-m", str(model), "--chat", "-p", "Who?", "-n", "2", "--json")
    header = strict(done.stdout.splitlines()[0])
    assert header["settings"]["prompts"] == [
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    ]
    assert "--chat" not in done.stderr


def test_a_chat_model_that_is_given_a_plain_text_is_remarked_on(tmp_path: Path) -> None:
    model = model_with(CHATML, tmp_path / "m.gguf")
    done = call("run", "-m", str(model), "-p", "Who?", "-n", "2", "--json")
    assert done.returncode == 0 and "--chat frames it" in done.stderr


def test_a_sweep_frames_its_prompts_and_resumes(tmp_path: Path) -> None:
    model = model_with(CHATML, tmp_path / "m.gguf")
    command = [
        "sweep",
        "-m",
        str(model),
        "--chat",
        "-p",
        "Who?",
        "-n",
        "2",
        "--betas=-1,1",
        "-o",
        str(tmp_path / "run"),
    ]
    assert call(*command).returncode == 0
    assert "2 of them finished" in call(*command).stderr


@pytest.mark.parametrize("command", ["run", "compare", "spectrum"])
def test_a_prompt_needs_no_option(command: str) -> None:
    few = [] if command == "spectrum" else ["-n", "2"]
    given = records(command, "Hello there", *few)
    assert given[0]["settings"]["prompts"] == ["Hello there"]
    assert records(command, "-p", "Hello there", *few)[0]["settings"]["prompts"] == ["Hello there"]


def test_words_and_options_are_prompts_one_after_the_other() -> None:
    assert records("run", "-p", "b", "a", "-n", "1")[0]["settings"]["prompts"] == ["a", "b"]


def test_words_without_quotes_are_refused() -> None:
    assert_one_line(call("run", "Hello", "there"), 2)
