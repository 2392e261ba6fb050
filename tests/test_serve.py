"""`negtemp serve`: real openai clients over a real socket get what `negtemp run` gives, at either sign."""

import io
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from paths import CLOSE_NATS, PROMPTS, TOKENS, expected
from serving import ONE_THREAD, complete, events

from negtemp.experiments.settings import PROMPT
from negtemp.model import model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.engine.prompt_logits import score
from negtemp.server import Address, RefusedError, Server
from negtemp.theory.boltzmann import energy, heat_capacity

NO_TEXT = ("byte", "control", "unknown")


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


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["max_tokens", "n_predict"])
def test_no_token_is_none(server: Server, name: str, stream: bool) -> None:
    body = {"prompt": PROMPT, "temperature": -0.001, name: 0, "stream": stream}
    [*_, last] = events(server, "v1/completions", body)
    assert (last["choices"][0]["text"], last["choices"][0]["finish_reason"]) == ("", "length")
    assert last["usage"]["completion_tokens"] == 0


def test_a_temperature_of_true_is_no_temperature_of_1(server: Server) -> None:
    with pytest.raises(RefusedError, match="must be a number") as refused:
        server.ask("v1/completions", {"prompt": PROMPT, "max_tokens": 1, "temperature": True})
    assert refused.value.status == 400


def test_a_prompts_log_probabilities_are_refused_by_name(server: Server) -> None:
    with pytest.raises(RefusedError, match="log-probabilities of a prompt") as refused:
        server.ask("v1/completions", {"prompt": PROMPT, "max_tokens": 1, "echo": True, "logprobs": 1})
    assert refused.value.status == 400


def test_an_answer_and_its_stream_are_equal_wherever_they_end(engine: Engine, server: Server) -> None:
    vocabulary = engine.model.vocabulary
    byte = {vocabulary.piece(token): token for token in vocabulary.in_categories(["byte"])}
    words = vocabulary.tokenize("ab")
    # an invalid byte, the four of one character, the first of another, and words that may begin a stop
    pool = [byte[bytes([value])] for value in (0x80, *"😀".encode(), 0xC3)] + words
    asked = {"prompt": PROMPT, "temperature": -5, "ignore_eos": True, "return_tokens": True, "n_probs": 1,
             "stop": ["abba"], "logit_bias": [[token, -99] for token in pool]}  # fmt: skip
    for seed in range(40):
        body = {**asked, "seed": seed, "n_predict": 1 + seed % 8}
        [whole] = events(server, "completion", body)
        chunks = events(server, "completion", {**body, "stream": True})
        assert "".join(chunk["content"] for chunk in chunks) == whole["content"]
        assert [token for chunk in chunks[:-1] for token in chunk["tokens"]] == whole["tokens"]
        places = [place["id"] for place in whole["completion_probabilities"]]
        assert places == whole["tokens"]
        assert [place["id"] for c in chunks for place in c.get("completion_probabilities", [])] == places


def test_the_model_goes_by_its_name_not_by_its_path(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [model_file.bundled().stem]
