"""llama-completion and llama_cpp.Llama draw below zero what `negtemp run` draws, filters off or at their defaults."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import TOKENS, expected

from negtemp.experiments.settings import PROMPT
from negtemp.model import source
from negtemp.model.engine import Engine
from negtemp.records import Step

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


def llama_completion(program: Path, temperature: float | str, *options: str) -> "subprocess.CompletedProcess[bytes]":
    """One run of it, as a user types it."""
    command = [str(program), "-m", str(source.bundled()), "-p", PROMPT, "--temp", str(temperature), *options]
    fixed = ["-n", str(TOKENS), "-no-cnv", "--no-display-prompt", "--ignore-eos", "--seed", "1", "-c", "512"]
    return subprocess.run([*command, *fixed], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def raw(steps: list[Step]) -> bytes:
    """The bytes of a path, which must not be empty: an empty one agrees with anything."""
    assert steps
    return b"".join(step.raw for step in steps)


@pytest.mark.parametrize("temperature", [0.001, -0.001])
def test_llama_completion_prints_the_tokens_of_run(engine: Engine, program: Path, temperature: float) -> None:
    done = llama_completion(program, temperature, *OFF)
    assert done.returncode == 0
    assert done.stdout.startswith(raw(expected(engine, temperature)))


def test_llama_completion_with_sampler_graphs_on_the_device_falls_back(engine: Engine, program: Path) -> None:
    done = llama_completion(program, -0.001, *OFF, "-bs")
    assert done.stdout.startswith(raw(expected(engine, -0.001)))


def test_llama_completion_at_its_defaults_inverts_inside_the_nucleus(engine: Engine, program: Path) -> None:
    path = expected(engine, -0.001, **DEFAULTS)
    assert llama_completion(program, -0.001).stdout.startswith(raw(path))
    assert path[0].rank < DEFAULTS["top_k"]


def test_llama_completion_takes_a_bias_of_minus_100_as_a_ban(engine: Engine, program: Path) -> None:
    first = expected(engine, -0.001)[0]
    banned = llama_completion(program, -0.001, *OFF, "--logit-bias", f"{first.token_id}-100").stdout
    forced = llama_completion(program, -0.001, *OFF, "--logit-bias", f"{first.token_id}-99").stdout
    assert not banned.startswith(first.raw)
    assert forced.startswith(first.raw)


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

model, calls = sys.argv[1], json.loads(sys.argv[2])
plain = Recording(model, n_ctx=512, verbose=False)
draft = Recording(model, n_ctx=512, verbose=False, draft_model=LlamaPromptLookupDecoding())
print(json.dumps({name: call(draft if name == "draft" else plain, options) for name, options in calls.items()}))
"""


@pytest.fixture(scope="module")
def bindings(engine: Engine) -> dict[str, Any]:
    """What llama_cpp.Llama draws, or why it refuses, for each call; in a process of its own, with its own log."""
    off = {"prompt": PROMPT, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    first = expected(engine, -0.001)[0].token_id
    vocabulary = engine.model.vocabulary
    lead = next(token for token in vocabulary.in_categories(["byte"]) if vocabulary.piece(token) == b"\xf0")
    calls: dict[str, dict[str, object]] = {
        "above": {**off, "temperature": 0.001}, "below": {**off, "temperature": -0.001},
        "defaults": {"prompt": PROMPT, "temperature": -0.001}, "draft": {**off, "temperature": -0.001},
        "banned": {**off, "temperature": -0.001, "logit_bias": {first: -100}},
        "forced": {**off, "temperature": -0.001, "logit_bias": {first: -99}},
        "bytes": {**off, "temperature": -0.001, "logit_bias": {lead: -99}},
        "mirostat": {**off, "temperature": -0.001, "mirostat_mode": 2}, "nan": {**off, "temperature": float("nan")},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", CALLS, source.bundled(), json.dumps(calls)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    return {**answers, "stderr": done.stderr, "first": first, "first byte": lead}


def ids(steps: list[Step]) -> list[int]:
    """The token ids of a path, which must not be empty."""
    assert steps
    return [step.token_id for step in steps]


@pytest.mark.parametrize(("call", "temperature"), [("above", 0.001), ("below", -0.001)])
def test_llama_draws_the_tokens_of_run(engine: Engine, bindings: dict[str, Any], call: str, temperature: float) -> None:
    path = ids(expected(engine, temperature))
    assert bindings[call][: len(path)] == path


def test_llama_at_its_defaults_inverts_inside_the_nucleus(engine: Engine, bindings: dict[str, Any]) -> None:
    path = ids(expected(engine, -0.001, **DEFAULTS))
    assert bindings["defaults"][: len(path)] == path


def test_llama_does_not_draft_below_zero_and_says_so(bindings: dict[str, Any]) -> None:
    assert bindings["draft"] == bindings["below"]
    assert "no speculative drafts" in bindings["stderr"]


def test_llama_takes_a_bias_of_minus_100_as_a_ban(bindings: dict[str, Any]) -> None:
    assert bindings["first"] not in bindings["banned"]
    assert bindings["forced"][0] == bindings["first"]


def test_llama_keeps_to_max_tokens_where_no_byte_completes_a_character(bindings: dict[str, Any]) -> None:
    assert set(bindings["bytes"]) == {bindings["first byte"]}
    assert len(bindings["bytes"]) <= TOKENS + 3


def test_llama_refuses_what_means_nothing(bindings: dict[str, Any]) -> None:
    assert bindings["mirostat"] == "mirostat needs a temperature of 0 or above"
    assert bindings["nan"] == "temperature must be a number"
