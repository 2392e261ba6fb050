"""Starts llama-server as tests and users start it, and asks it as no client library would."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from paths import TOKENS

from negtemp.errors import EngineMissingError
from negtemp.experiments.settings import PROMPT
from negtemp.server import Server, executable

# threads that wait for each other are slow where other programs run
ONE_THREAD = ("--threads", "1")
NEGTEMP = str(Path(sys.executable).with_name("negtemp"))


def require_server() -> None:
    """Skips the test where llama-server is not built; where it must be there, its absence is a failure."""
    try:
        executable()
    except EngineMissingError as missing:
        if os.environ.get("NEGTEMP_REQUIRE_TOOLS"):
            raise
        pytest.skip(str(missing))


@contextmanager
def serving(*options: str, **variables: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    """`negtemp serve` as a user starts it, and its port, once it says that it serves."""
    command, environment = [NEGTEMP, "serve", "--port", "0", *ONE_THREAD, *options], {**os.environ, **variables}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            said = process.stdout.readline().split("/")
            assert said[0] == "serving http:", process.stderr.read()
            yield process, int(said[2].partition(" ")[0].rpartition(":")[2])
        finally:
            process.terminate()


def events(server: Server, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks of a streamed answer, or the one answer."""
    request = urllib.request.Request(
        f"{server.address.url.removesuffix('v1')}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    lines = [line.removeprefix("data: ") for line in text.splitlines()] if body.get("stream") else [text]
    return [json.loads(line) for line in lines if line.startswith("{")]


def complete(client: openai.OpenAI, temperature: float, prompt: str = PROMPT, seed: int = 1, **options: Any) -> str:
    """The text that an openai client gets."""
    extra = {"ignore_eos": True, **options.pop("extra", {})}
    asked = {"model": "any", "prompt": prompt, "temperature": temperature, "max_tokens": TOKENS, "seed": seed}
    answer = client.completions.create(**asked, **options, extra_body=extra)  # type: ignore[call-overload]
    if options.get("stream"):
        return "".join(chunk.choices[0].text for chunk in answer if chunk.choices)
    return str(answer.choices[0].text)
