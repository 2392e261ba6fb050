"""`negtemp serve` before it answers: addresses, keys, waiting, the proof, and the options of llama-server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import typer
from models import spm_vocabulary, write_llama
from serving import NEGTEMP, ONE_THREAD, complete, require_server, serving

from negtemp.cli.app import app
from negtemp.errors import ModelError, NegtempError, UnpatchedLibraryError, UsageError
from negtemp.model import model_file
from negtemp.server import Address, Server, free, keys_in, model_name


@pytest.mark.parametrize("below", [[(7, 1.0)], [(7, 1.0), (3, 0.0)], [(7, 0.6), (3, 0.4)]])
def test_a_server_that_takes_no_sign_is_not_ours(
    server: Server, monkeypatch: pytest.MonkeyPatch, below: list[tuple[int, float]]
) -> None:
    above = [(7, 0.6), (3, 0.4)]
    monkeypatch.setattr(Server, "_likeliest", lambda _, temperature, __: above if temperature > 0 else below)
    with pytest.raises(UnpatchedLibraryError, match="--tools"):
        server.prove()


def test_a_model_without_a_preference_is_no_proof_against_the_server(tmp_path: Path) -> None:
    require_server()
    even = np.zeros((len(vocabulary := spm_vocabulary([b" ab", b" cd"])), 32), np.float32)
    model = write_llama(tmp_path / "even.gguf", vocabulary, unembedding=even)
    with Server(model, Address(port=0), ONE_THREAD) as running:
        running.wait_until_ready()
        running.prove()


@pytest.mark.parametrize("key", [None, "", ",", " , ", '""'])
def test_an_address_that_others_reach_needs_a_key(key: str | None) -> None:
    with pytest.raises(UsageError, match="api-key"):
        Address("0.0.0.0", 8080, key)
    assert Address("0.0.0.0", 8080, "secret").url == "http://0.0.0.0:8080/v1"
    assert Address("::1", 80).url == "http://[::1]:80/v1"


def test_keys_are_read_as_llama_cpp_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes('\ufeff# two keys\r\n\r\nfirst \r\nse,c"ond\r\n'.encode())
    assert Address(api_key=f"a, b\n{keys_in(file)}").keys == ("a", "b", "first", 'se,c"ond')


@pytest.mark.parametrize(
    ("content", "reason"), [(b"# none\n\n", "holds no key"), (b"\xff", "UTF-8"), (None, "cannot read")]
)
def test_a_key_file_without_keys_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(NegtempError, match=reason):
        keys_in(tmp_path / "keys")


@pytest.mark.parametrize(
    "wrong", [{"host": "127.0.0.1,::1"}, {"host": "x.sock"}, {"api_key": "clé"}, {"api_key": "a\x07"},
              {"prefix": "/a b"}, {"prefix": "a"}, {"port": -1}, {"port": 65536}],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Address(**wrong)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 300, "256.0.0.1", "\udcff"])
def test_a_host_that_is_none_is_one_line(host: str) -> None:
    with pytest.raises(NegtempError, match="cannot listen on"):
        free(Address(host, 0, "secret"))


@pytest.mark.parametrize(
    ("file", "name"), [("Llama-3.1-8B", "Llama-3.1-8B"), ("Qwen2.5-0.5B.Q4_0.gguf", "Qwen2.5-0.5B.Q4_0"),
                       ("a.GGUF", "a"), ("a,b.gguf", "a_b")],
)  # fmt: skip
def test_a_model_keeps_the_dots_of_its_name(file: str, name: str) -> None:
    assert model_name(Path("/models") / file) == name


def program(folder: Path, text: str) -> Path:
    """A program to be started as llama-server is."""
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


SILENT = "import time\ntime.sleep(600)"
LOADING = """
import http.server, sys
class Loading(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b'{"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}')
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Loading).serve_forever()
"""


def test_waiting_for_a_silent_server_ends_and_says_where_it_asked(tmp_path: Path) -> None:
    with (
        Server(model_file.bundled(), Address(port=0), program=program(tmp_path, SILENT)) as running,
        pytest.raises(NegtempError, match=rf"not ready after 0.2 s: .*:{running.address.port}/health"),
    ):
        running.wait_until_ready(0.2)


def test_waiting_for_a_model_that_loads_for_ever_ends_and_says_so(tmp_path: Path) -> None:
    with Server(model_file.bundled(), Address(port=0), program=program(tmp_path, LOADING)) as running:
        seconds = 1.0
        while True:  # until Python has started its server
            with pytest.raises(NegtempError) as ended:
                running.wait_until_ready(seconds)
            if "still loads" in str(ended.value):
                return
            seconds *= 2


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
    said = done.stderr.splitlines()[-1]
    assert said.startswith("negtemp: llama-server cannot serve")
    # why, as llama.cpp says it of a file that ends too early, and not only that it failed
    assert "not within the file bounds" in said and "exiting" not in said


@pytest.mark.parametrize(
    ("ends_by", "expected"),
    [("kill -ILL $$", "ended by SIGILL: it was compiled for another processor; build it with: negtemp build --tools"),
     ("echo 'E no memory'; kill -KILL $$", "ended by SIGKILL; E no memory"), ("exit 3", "no reason given")],
)  # fmt: skip
def test_a_server_that_ends_before_it_answers_says_how(tmp_path: Path, ends_by: str, expected: str) -> None:
    program = tmp_path / "llama-server"
    program.write_text(f"#!/bin/sh\n{ends_by}\n")
    program.chmod(0o755)
    ended = Server(model_file.bundled(), Address(port=0), program=program)
    with ended, pytest.raises(ModelError, match=f"{re.escape(expected)}$"):
        ended.wait_until_ready()


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


def test_a_key_is_asked_of_every_client(server: Server) -> None:
    with serving("--api-key", "secret") as (process, port):
        # a command line is there for every user to read
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert b"secret" not in Path(f"/proc/{child}/cmdline").read_bytes()
        for key, answers in (("secret", True), ("guess", False)):
            with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as asking:
                try:
                    complete(asking, -0.001)
                except openai.AuthenticationError:
                    assert not answers
                else:
                    assert answers


def test_any_of_several_keys_will_do(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("third\n# not a key\n")
    with serving("--api-key", "first,second", "--api-key-file", str(file)) as (_, port):
        for key in ("first", "second", "third"):
            with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as asking:
                complete(asking, -0.001)


def test_no_proxy_is_asked_and_none_gets_the_key(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = [f"{kind}_proxy" for kind in ("http", "https", "all", "ftp")]
        variables = {"no_proxy": "", "NO_PROXY": "", **{n: url for name in names for n in (name, name.upper())}}
        with serving("--api-key", "secret", **variables):
            proxy.settimeout(0)
            with pytest.raises(BlockingIOError):
                proxy.accept()


SERVED = [
    ("--api-prefix", "/x"), ("--api-prefix", "x/"), ("--api_prefix=/x",), ("--alias", "other,second"), ("-a", "other"),
    ("--host", "localhost"), ("--host", "::1"), ("--host", "[::1]"), ("--host", "0.0.0.0", "--api-key", "a"),
    ("--json-schema", "{}"), ("--json-schema", '{"const": 1}'), ("--grammar", 'root ::= "yes"'), ("--mirostat", "2"),
    ("--ctx-size=512",), ("--top-k", "1"), ("--temp", "-0.5"), ("--samplers", "top_k;temperature"), ("--seed", "7"),
    ("--logit-bias", "5+100"), ("--dynatemp-range", "0.5"), ("-n", "0"), ("-bs",), ("--log-disable",), ("--embedding",),
]  # fmt: skip


@pytest.mark.parametrize("options", SERVED, ids=" ".join)
def test_an_option_of_llama_server_works(server: Server, options: tuple[str, ...]) -> None:
    with serving(*options):
        pass


REFUSED = [
    ("--samplers", "top_k"), ("--sampler-seq", "k"), ("-hf", "org/repo"), ("--model-url", "http://127.0.0.1:9/x"),
    ("--host", "0.0.0.0", "--api-key", ","), ("--api-prefix", "/a b"), ("--nonsense",),
    ("file.gguf",), ("--api-key-file", "/nowhere/keys"), ("--grammar", "root ::= ("), ("--json-schema", "{"),
    ("--ctx-size", "many"),
    ("--temp", "nan"), ("--ssl-key-file", "a", "--ssl-cert-file", "b"), ("--mirostat", "1", "--temp", "-1"),
    ("--ready-timeout", "0"), ("--version",),
]  # fmt: skip


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_an_option_that_does_not_work_is_one_line(server: Server, options: tuple[str, ...]) -> None:
    done = subprocess.run([NEGTEMP, "serve", "--port", "0", *options], capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2), done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("loading ")]
    assert len(lines) == 1 and lines[0].startswith("negtemp: ")


def test_an_environment_variable_of_llama_cpp_counts(server: Server) -> None:
    given = {"LLAMA_ARG_TOP_K": "3", "LLAMA_ARG_ALIAS": "other", "LLAMA_API_KEY": "a", "LLAMA_ARG_API_PREFIX": "/x"}
    with serving(**given, AIP_MODE="PREDICTION") as (_, port):
        base = f"http://127.0.0.1:{port}/x"
        with openai.OpenAI(base_url=f"{base}/v1", api_key="a", max_retries=0) as asking:
            assert [model.id for model in asking.models.list()] == ["other"]
        request = urllib.request.Request(f"{base}/props", headers={"Authorization": "Bearer a"})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["default_generation_settings"]["params"]["top_k"] == 3


def test_llama_servers_own_options_reach_it_whole() -> None:
    given = ["-md", "draft.gguf", "-hf", "org/repo", "-np", "2", "--temp", "-0.5", "-c", "512"]
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    context = command.make_context("serve", ["-m", "model.gguf", *given])
    assert context.args == given
    assert context.params["model"] == "model.gguf"
