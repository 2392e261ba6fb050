"""llama-completion and llama_cpp.Llama draw below zero what `negtemp run` draws, filters off or at their defaults; and
whatever is drawn, the text of `llama_cpp.Llama` is that of the tokens, whole and streamed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from models import spm_vocabulary, write_llama
from paths import PROMPTS, TOKENS, expected

from negtemp.experiments.settings import PROMPT
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.records import Step

AT = (0.001, -0.001, -1e-6)
TINY = -1e-50  # -0.0 in a float, which is greedy
OFF = ("--top-k", "0", "--top-p", "1", "--min-p", "0")
DEFAULTS: dict[str, Any] = {"top_k": 40, "top_p": 0.95, "min_p": 0.05}


@pytest.fixture(scope="module")
def program() -> Path:
    """The patched llama-completion; where it must be there, its absence is a failure."""
    path = Path(sys.executable).with_name("llama-completion")
    if not path.exists():
        assert not os.environ.get("NEGTEMP_REQUIRE_TOOLS"), f"{path.name} is not built"
        pytest.skip("not built: run scripts/build_llama.sh --tools")
    return path


def llama_completion(
    program: Path, temperature: float | str, *options: str, prompt: str = PROMPT
) -> "subprocess.CompletedProcess[bytes]":
    """One run of it, as a user types it."""
    command = [str(program), "-m", str(model_file.bundled()), "-p", prompt, "--temp", str(temperature), *options]
    fixed = [
        "-n",
        str(TOKENS),
        "-no-cnv",
        "--no-display-prompt",
        "--ignore-eos",
        "--special",
        "--seed",
        "1",
        "-c",
        "512",
        "-t",
        "1",
    ]
    return subprocess.run([*command, *fixed], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def agrees(program: Path, paths: dict[str, list[Step]], temperature: float, *options: str) -> bool:
    """Whether it prints every prompt's path first, and one path at least is there to be printed."""
    printed = {p: llama_completion(program, temperature, *options, prompt=p).stdout for p in paths}
    raw = {prompt: b"".join(step.raw for step in steps) for prompt, steps in paths.items()}
    return any(raw.values()) and all(printed[prompt].startswith(raw[prompt]) for prompt in paths)


@pytest.mark.parametrize("temperature", AT)
def test_llama_completion_prints_the_tokens_of_run(engine: Engine, program: Path, temperature: float) -> None:
    assert agrees(program, {prompt: expected(engine, temperature, prompt) for prompt in PROMPTS}, temperature, *OFF)


def test_llama_completion_with_sampler_graphs_on_the_device_falls_back(engine: Engine, program: Path) -> None:
    assert agrees(program, {prompt: expected(engine, -1e-6, prompt) for prompt in PROMPTS}, -1e-6, *OFF, "-bs")


def test_llama_completion_at_its_defaults_inverts_inside_the_nucleus(engine: Engine, program: Path) -> None:
    paths = {prompt: expected(engine, -0.001, prompt, **DEFAULTS) for prompt in PROMPTS}
    assert agrees(program, paths, -0.001)
    assert all(step.rank < DEFAULTS["top_k"] for steps in paths.values() for step in steps)


def test_llama_completion_takes_a_bias_of_minus_100_as_a_ban(engine: Engine, program: Path) -> None:
    token = engine.model.vocabulary.tokenize(PROMPT)[-1]
    piece = engine.model.vocabulary.piece(token)
    banned = llama_completion(program, -0.001, *OFF, "--logit-bias", f"{token}-100").stdout
    forced = llama_completion(program, -0.001, *OFF, "--logit-bias", f"{token}-99").stdout
    assert forced.startswith(piece * TOKENS)
    assert piece not in banned


@pytest.mark.parametrize(("temperature", "options", "reason"), [("-1", ["--mirostat", "2"], b"mirostat"),
                                                                ("nan", [], b"must be a number")])  # fmt: skip
def test_llama_completion_refuses_what_means_nothing(
    program: Path, temperature: str, options: list[str], reason: bytes
) -> None:
    done = llama_completion(program, temperature, *options)
    assert (done.returncode, done.stdout) == (1, b"")
    assert reason in done.stderr


CALLS = """
import json, sys
import llama_cpp
from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

class Recording(llama_cpp.Llama):
    def generate(self, *args, **options):
        self.drawn = []
        for token in super().generate(*args, **options):
            self.drawn.append(token)
            yield token

def call(llama, options):
    try:
        llama(**{"max_tokens": 12, "seed": 1, **options})
    except ValueError as error:
        return str(error)
    return llama.drawn

# flash attention as llama.cpp's own programs have it: without, the logits differ by up to a tenth of a nat
model, calls = sys.argv[1], json.loads(sys.argv[2])
options = {"n_ctx": 512, "n_threads": 1, "n_threads_batch": 1, "flash_attn": True, "verbose": False}
plain = Recording(model, **options)
draft = Recording(model, **options, draft_model=LlamaPromptLookupDecoding())
print(json.dumps({name: call(draft if name == "draft" else plain, options) for name, options in calls.items()}))
"""


@pytest.fixture(scope="module")
def bindings(engine: Engine) -> dict[str, Any]:
    """What llama_cpp.Llama draws, or why it refuses, for each call; in a process of its own, with its own log."""
    off = {"prompt": PROMPT, "temperature": -0.001, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    vocabulary = engine.model.vocabulary
    last = vocabulary.tokenize(PROMPT)[-1]
    lead = next(token for token in vocabulary.in_categories(["byte"]) if vocabulary.piece(token) == b"\xf0")
    calls: dict[str, dict[str, object]] = {
        **{f"{t} {prompt}": {**off, "prompt": prompt, "temperature": t} for t in (*AT, TINY) for prompt in PROMPTS},
        **{f"defaults {prompt}": {"prompt": prompt, "temperature": -0.001} for prompt in PROMPTS},
        "below": off, "draft": off,
        "banned": {**off, "logit_bias": {last: -100}}, "forced": {**off, "logit_bias": {last: -99}},
        "bytes": {**off, "logit_bias": {lead: -99}},
        "mirostat": {**off, "mirostat_mode": 2}, "nan": {**off, "temperature": float("nan")},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", CALLS, model_file.bundled(), json.dumps(calls)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    return {**answers, "stderr": done.stderr, "last token": last, "lead byte": lead}


def drew(bindings: dict[str, Any], call: str, paths: dict[str, list[Step]]) -> bool:
    """Whether it drew every prompt's path first, and one path at least is there to be drawn."""
    ids = {prompt: [step.token_id for step in steps] for prompt, steps in paths.items()}
    return any(ids.values()) and all(bindings[f"{call} {p}"][: len(ids[p])] == ids[p] for p in paths)


@pytest.mark.parametrize("temperature", [*AT, TINY])
def test_llama_draws_the_tokens_of_run(engine: Engine, bindings: dict[str, Any], temperature: float) -> None:
    paths = {prompt: expected(engine, temperature, prompt) for prompt in PROMPTS}
    assert drew(bindings, str(temperature), paths)


def test_llama_at_its_defaults_inverts_inside_the_nucleus(engine: Engine, bindings: dict[str, Any]) -> None:
    assert drew(bindings, "defaults", {prompt: expected(engine, -0.001, prompt, **DEFAULTS) for prompt in PROMPTS})


def test_llama_does_not_draft_below_zero_and_says_so(bindings: dict[str, Any]) -> None:
    assert bindings["draft"] == bindings["below"]
    assert "no speculative drafts" in bindings["stderr"]


def test_llama_takes_a_bias_of_minus_100_as_a_ban(bindings: dict[str, Any]) -> None:
    assert bindings["last token"] not in bindings["banned"]
    assert set(bindings["forced"]) == {bindings["last token"]}


def test_llama_keeps_to_max_tokens_where_no_byte_completes_a_character(bindings: dict[str, Any]) -> None:
    assert set(bindings["bytes"]) == {bindings["lead byte"]}
    assert len(bindings["bytes"]) <= TOKENS + 3


def test_llama_refuses_what_means_nothing(bindings: dict[str, Any]) -> None:
    assert bindings["mirostat"] == "mirostat needs a temperature of 0 or above"
    assert bindings["nan"] == "temperature must be a number"


TEXTS = """
import json, sys
import llama_cpp

class Recording(llama_cpp.Llama):
    def generate(self, *args, **options):
        self.drawn = []
        for token in super().generate(*args, **options):
            self.drawn.append(token)
            yield token

def texts(options):
    whole = llama.create_completion(**options)["choices"][0]
    ids = llama.drawn
    streamed = [chunk["choices"][0] for chunk in llama.create_completion(**options, stream=True)]
    places = [choice["logprobs"] for choice in (whole, *streamed) if choice["logprobs"]]
    logprobs = [[float(value) for value in place["token_logprobs"]] for place in places]
    return {"ids": ids, "whole": whole["text"], "streamed": "".join(choice["text"] for choice in streamed),
            "logprobs": logprobs[0] if logprobs else [], "streamed logprobs": sum(logprobs[1:], []),
            "detokenized": llama.detokenize(ids, special=True).decode("utf-8", "replace")}

model, calls = sys.argv[1], json.loads(sys.stdin.read())
llama = Recording(model, n_ctx=256, n_threads=1, logits_all=True, verbose=False)
print(json.dumps([texts(options) for options in calls]))
"""
LONG = [b"x" * count for count in (31, 32, 33, 40, 200, 5000)]
SHORT = [b"\xe2\x96\x81ab", b"\xe2\x96\x81cd", b"ef", "é".encode(), "😀".encode()]
BOS, FIRST_BYTE, FIRST_PIECE = 1, 3, 259
# a byte that completes nothing, the four of one character, and the first of another
BYTES = [FIRST_BYTE + byte for byte in (0x80, *"😀".encode(), 0xC3)]


def texts_of(path: Path, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What llama_cpp.Llama answers to each call, whole and streamed, and the ids that it drew."""
    asked = {"prompt": "ab", "temperature": -5.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 1, "max_tokens": 6}
    done = subprocess.run(
        [sys.executable, "-c", TEXTS, path], input=json.dumps([{**asked, **call} for call in calls]),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def favoured(tokens: list[int]) -> dict[str, Any]:
    """The option that makes these tokens all that is drawn below zero."""
    return {"logit_bias": dict.fromkeys(tokens, -99.0)}


@pytest.fixture(scope="module")
def wordy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights whose vocabulary has long tokens."""
    return write_llama(tmp_path_factory.mktemp("models") / "wordy.gguf", spm_vocabulary([*LONG, *SHORT]))


@pytest.fixture(scope="module")
def pieces(compiled: Library, wordy_path: Path) -> list[bytes]:
    """The text of each of its tokens, as `negtemp run` has it; a control token has none."""
    with Model(compiled, wordy_path) as model:
        vocabulary = model.vocabulary
        control = set(vocabulary.in_categories(["control", "unknown"]))
        return [b"" if token in control else vocabulary.piece(token) for token in range(vocabulary.size)]


def test_llama_gives_the_whole_of_a_long_token(wordy_path: Path) -> None:
    calls = [{**favoured([FIRST_PIECE + number]), "max_tokens": 2} for number in range(len(LONG))]
    answers = texts_of(wordy_path, calls)
    assert [answer["whole"] for answer in answers] == [2 * piece.decode() for piece in LONG]
    assert [answer["detokenized"] for answer in answers] == [2 * piece.decode() for piece in LONG]


def test_llama_keeps_the_space_after_a_bos_that_was_drawn(wordy_path: Path, pieces: list[bytes]) -> None:
    spaced = [token for token, piece in enumerate(pieces) if piece.startswith(b" ")]
    calls = [{**favoured([BOS, *spaced]), "seed": seed, "logprobs": 1} for seed in range(20)]
    answers = [answer for answer in texts_of(wordy_path, calls) if answer["ids"][0] == BOS]
    assert answers
    for answer in answers:
        text = b"".join(pieces[token] for token in answer["ids"]).decode()
        assert (answer["whole"], answer["streamed"]) == (text, text)
        assert answer["streamed logprobs"] == pytest.approx(answer["logprobs"])


@pytest.mark.parametrize("options", [{}, {"logprobs": 1}], ids=["plain", "logprobs"])
def test_llama_streams_what_it_returns_whole(wordy_path: Path, pieces: list[bytes], options: dict[str, Any]) -> None:
    words = [FIRST_PIECE + len(LONG) + number for number in range(len(SHORT))]
    calls = [{**favoured([BOS, *BYTES, *words]), "seed": seed, "max_tokens": 16, **options} for seed in range(40)]
    answers = texts_of(wordy_path, calls)
    # the three bytes that a character may still want are drawn beyond the limit
    assert any("😀" in answer["whole"] for answer in answers)
    for answer in answers:
        text = b"".join(pieces[token] for token in answer["ids"]).decode(errors="ignore")
        assert (answer["whole"], answer["streamed"]) == (text, text)


def test_llama_ends_at_the_stop_that_comes_first_whole_and_streamed(wordy_path: Path) -> None:
    call = {**favoured([FIRST_PIECE + len(LONG)]), "stop": ["b", "a"]}
    [answer] = texts_of(wordy_path, [call])
    assert (answer["whole"], answer["streamed"]) == (" ", " ")
