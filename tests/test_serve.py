"""`negtemp serve`: real openai clients over a real socket get what `negtemp run` gives, at either sign."""

import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import typer
from paths import CLOSE_NATS, PROMPTS, TOKENS, expected

from negtemp.cli.app import app
from negtemp.errors import EngineMissingError, NegtempError, UsageError
from negtemp.experiments.settings import PROMPT
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.server import Address, Server, executable
from negtemp.theory.boltzmann import energy, heat_capacity

NO_TEXT = ("byte", "control", "unknown")
# the bundled model knows no roles: after a real template its least likely tokens lie within rounding of each other
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
# threads that wait for each other are slow where other programs run
ONE_THREAD = ("--threads", "1")
NEGTEMP = str(Path(sys.executable).with_name("negtemp"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The patched llama-server on the bundled model; where it must be there, its absence is a failure."""
    try:
        executable()
    except EngineMissingError as missing:
        if os.environ.get("NEGTEMP_REQUIRE_TOOLS"):
            raise
        pytest.skip(str(missing))
    options = ["--parallel", "8", "--ctx-size", "4096", "--slots", "--jinja", "--chat-template", TEMPLATE, *ONE_THREAD]
    with Server(model_file.bundled(), Address(port=0), options) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client as users have it."""
    with openai.OpenAI(base_url=server.address.url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def bans(engine: Engine) -> dict[str, int]:
    """OpenAI's way to mask what is no text on its own: such a token's bytes do not survive JSON."""
    return {str(token): -100 for token in engine.model.vocabulary.in_categories(NO_TEXT)}


def path(engine: Engine, temperature: float, prompt: str = PROMPT, close: float = CLOSE_NATS) -> str:
    """The text of `negtemp run` with the same mask, as far as a server must give it."""
    return b"".join(step.raw for step in expected(engine, temperature, prompt, close, mask=NO_TEXT)).decode()


def complete(client: openai.OpenAI, temperature: float, prompt: str = PROMPT, seed: int = 1, **options: Any) -> str:
    """The text that an openai client gets."""
    extra = {"ignore_eos": True, **options.pop("extra", {})}
    asked = {"model": "any", "prompt": prompt, "temperature": temperature, "max_tokens": TOKENS, "seed": seed}
    answer = client.completions.create(**asked, **options, extra_body=extra)  # type: ignore[call-overload]
    if options.get("stream"):
        return "".join(chunk.choices[0].text for chunk in answer if chunk.choices)
    return str(answer.choices[0].text)


def chat(client: openai.OpenAI, temperature: float, **options: Any) -> str:
    """The answer to a chat."""
    asked = {"model": "any", "temperature": temperature, "max_tokens": TOKENS, "seed": 1}
    answer = client.chat.completions.create(**asked, **options, extra_body={"ignore_eos": True})  # type: ignore[call-overload]
    if options["stream"]:
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    return str(answer.choices[0].message.content)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("temperature", [0.001, -0.001, -1e-6, -1e-50])
def test_a_completion_is_what_run_gives(
    engine: Engine, client: openai.OpenAI, bans: dict[str, int], temperature: float, stream: bool
) -> None:
    given = [path(engine, temperature, prompt) for prompt in PROMPTS]
    answers = [complete(client, temperature, prompt, logit_bias=bans, stream=stream) for prompt in PROMPTS]
    assert any(given)
    assert [answer[: len(start)] for answer, start in zip(answers, given, strict=True)] == given


def test_a_request_for_device_sampling_falls_back_below_zero(
    engine: Engine, client: openai.OpenAI, bans: dict[str, int]
) -> None:
    given = [path(engine, -1e-6, prompt) for prompt in PROMPTS]
    on = {"backend_sampling": True}
    answers = [complete(client, -1e-6, prompt, logit_bias=bans, extra=on) for prompt in PROMPTS]
    assert any(given)
    assert [answer[: len(start)] for answer, start in zip(answers, given, strict=True)] == given


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_chat_answer_is_what_run_gives_after_the_templated_prompt(
    engine: Engine, server: Server, client: openai.OpenAI, bans: dict[str, int], stream: bool
) -> None:
    given, answers = [], []
    for prompt in PROMPTS:
        messages = [{"role": "user", "content": prompt}]
        templated = server.ask("apply-template", {"messages": messages})["prompt"]
        given.append(path(engine, -0.001, str(templated)))
        answers.append(chat(client, -0.001, messages=messages, logit_bias=bans, stream=stream))
    assert any(given)
    assert [answer[: len(start)] for answer, start in zip(answers, given, strict=True)] == given


def test_a_bias_of_minus_100_bans_a_token_below_zero(engine: Engine, server: Server) -> None:
    token = engine.model.vocabulary.tokenize(PROMPT)[-1]
    body = {"prompt": PROMPT, "temperature": -0.001, "n_predict": TOKENS, "return_tokens": True, "ignore_eos": True}
    assert server.ask("completion", {**body, "logit_bias": [[token, -99]]})["tokens"] == [token] * TOKENS
    assert token not in server.ask("completion", {**body, "logit_bias": [[token, -100]]})["tokens"]


def test_fifty_requests_of_mixed_signs_each_answer_as_alone(
    engine: Engine, client: openai.OpenAI, bans: dict[str, int]
) -> None:
    asked = [(f"{PROMPT} {number}", (0.001, -0.001, -1e-6)[number % 3]) for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda request: complete(client, request[1], request[0], logit_bias=bans), asked))
    # requests share batches: the last bits move, and so do draws between tokens that are within 10 |T| of each other
    given = [path(engine, at, prompt, max(CLOSE_NATS, 10 * abs(at))) for prompt, at in asked]
    assert sum(map(bool, given)) > 25
    assert [answer[: len(start)] for answer, start in zip(answers, given, strict=True)] == given


@pytest.mark.parametrize("temperature", [1.0, -1.0])
def test_the_mean_energy_of_the_draws_is_that_of_the_distribution(
    engine: Engine, server: Server, temperature: float
) -> None:
    """U and its deviation sqrt(C) at |T| = 1 are exact from one row of logits; the two signs lie far apart."""
    [row] = score(engine.model, [engine.model.vocabulary.tokenize(PROMPT)])
    body = {"prompt": PROMPT, "temperature": temperature, "n_predict": 1, "return_tokens": True}
    drawn = [server.ask("completion", {**body, "seed": seed})["tokens"][0] for seed in range(1, 101)]
    mean, deviation = energy(row.logits, 1 / temperature), math.sqrt(heat_capacity(row.logits, 1 / temperature))
    assert abs(-row.logits[drawn].mean() - mean) < 4 * deviation / math.sqrt(len(drawn))
    assert abs(energy(row.logits, -1 / temperature) - mean) > 4 * deviation


@pytest.mark.parametrize("temperature", ["NaN", "Infinity", '"cold"', "[1]", "1e39"])
def test_a_temperature_that_is_none_is_400_and_the_server_lives_on(
    server: Server, client: openai.OpenAI, temperature: str
) -> None:
    body = f'{{"model": "any", "prompt": "x", "max_tokens": 1, "temperature": {temperature}}}'.encode()
    request = urllib.request.Request(f"{server.address.url}/completions", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        assert answer.code == 400
        assert {"code", "message", "type"} <= json.load(answer)["error"].keys()
    assert complete(client, -0.001)


def test_mirostat_below_zero_is_refused_with_the_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="mirostat"):
        complete(client, -1.0, extra={"mirostat": 2})


def test_below_zero_nothing_is_drafted_and_the_log_says_so(server: Server) -> None:
    log = io.StringIO()
    with Server(model_file.bundled(), Address(port=0), ["--spec-type", "ngram-simple", *ONE_THREAD], log) as drafting:
        drafting.wait_until_ready()
        for temperature in (0.0, -0.001):
            drafting.ask("completion", {"prompt": PROMPT, "n_predict": 2, "temperature": temperature})
    assert log.getvalue().count("no speculative drafts") == 1


def test_a_client_that_leaves_frees_its_slot(server: Server, client: openai.OpenAI) -> None:
    stream = client.completions.create(
        model="any", prompt=PROMPT, temperature=-0.001, max_tokens=400, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    deadline = time.monotonic() + 60
    while any(slot["is_processing"] for slot in server.ask("slots")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_takes_no_sign_is_not_ours(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.prove()
    monkeypatch.setattr(Server, "_first_token", lambda *_: [7])
    with pytest.raises(NegtempError, match="--tools"):
        server.prove()


def test_an_address_that_others_reach_needs_a_key() -> None:
    with pytest.raises(UsageError, match="api-key"):
        Address("0.0.0.0", 8080)
    assert Address("0.0.0.0", 8080, "secret").url == "http://0.0.0.0:8080/v1"
    assert Address("::1", 80).url == "http://[::1]:80/v1"


def test_a_port_in_use_is_one_line(server: Server) -> None:
    done = subprocess.run(
        [NEGTEMP, "serve", "--port", str(server.address.port)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "--port" in done.stderr and done.stderr.count("\n") == 1


def test_a_model_that_fails_behind_the_server_is_one_line(server: Server, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    whole = model_file.bundled().read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    done = subprocess.run(
        [NEGTEMP, "serve", "--port", "0", "-m", str(broken)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("negtemp: llama-server cannot serve")


@contextmanager
def serving(*options: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    """`negtemp serve` as a user starts it, and its port, once it says that it serves."""
    command = [NEGTEMP, "serve", "--port", "0", *ONE_THREAD, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().split("/v1")[0].rpartition(":")[2])
        finally:
            process.terminate()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_signal_stops_it_and_frees_the_port(server: Server, sent: signal.Signals, status: int) -> None:
    with serving() as (process, port):
        process.send_signal(sent)
        process.communicate(timeout=30)
        assert process.returncode == status
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_that_dies_is_one_line(server: Server) -> None:
    with serving() as (process, _):
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert errors.splitlines()[-1].startswith("negtemp: llama-server ended with status -9")


def test_the_model_goes_by_its_name_not_by_its_path(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [model_file.bundled().stem]


def test_a_key_is_asked_of_every_client(server: Server) -> None:
    with serving("--api-key", "secret") as (_, port):
        for key, answers in (("secret", True), ("guess", False)):
            with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as asking:
                try:
                    complete(asking, -0.001)
                except openai.AuthenticationError:
                    assert not answers
                else:
                    assert answers


def test_llama_servers_own_options_reach_it_whole() -> None:
    given = ["-md", "draft.gguf", "-hf", "org/repo", "-np", "2", "--temp", "-0.5", "-c", "512"]
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    context = command.make_context("serve", ["-m", "model.gguf", *given])
    assert context.args == given
    assert context.params["model"] == Path("model.gguf")
