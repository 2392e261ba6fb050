"""Layers on other machines: two ggml-rpc-servers on loopback give the tokens that this process gives alone.

Needs a build with RPC, which `scripts/check_rpc.sh` makes beside the usual one; without it only refusals are tried.
"""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from models import spm_vocabulary, write_llama
from test_cli import NEGTEMP, assert_one_line, call, strict

import negtemp
from negtemp.errors import UsageError
from negtemp.model import rpc
from negtemp.model.library import Library

SERVER = Path(sys.executable).with_name("ggml-rpc-server")
CLOSE_NATS = 0.05


def has_rpc(compiled: Library) -> bool:
    compiled.ggml.ggml_backend_reg_by_name.restype = __import__("ctypes").c_void_p
    return bool(compiled.ggml.ggml_backend_reg_by_name(b"RPC"))


@contextlib.contextmanager
def serving() -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    """A server's HOST:PORT and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(SERVER), "-H", "127.0.0.1", "-p", str(port), "-t", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until_reached(port, process)
            yield f"127.0.0.1:{port}", process
        finally:
            process.kill()


def until_reached(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"ggml-rpc-server ended with status {process.returncode}")


@pytest.fixture
def two(compiled: Library) -> Iterator[str]:
    """Two servers, as --rpc takes them."""
    if not SERVER.exists() or not has_rpc(compiled):
        pytest.skip("not built with RPC: scripts/check_rpc.sh")
    with serving() as (one, _), serving() as (other, _):
        yield f"{one},{other}"


@pytest.mark.parametrize("temperature", ["0.001", "-0.001", "1", "-1"])
def test_two_servers_give_the_tokens_of_this_process(compiled: Library, two: str, temperature: str) -> None:
    arguments = ["run", "-n", "24", f"--temp={temperature}", "--json"]
    here = steps_in(call(*arguments).stdout)
    done = call(*arguments, "--rpc", two)
    assert done.returncode == 0, done.stderr
    there = steps_in(done.stdout)
    assert len(here) == 24
    alike = until_rounding(here, there) if any("amx" in name for name in compiled.build["instructions"]) else 24
    assert [step["token_id"] for step in there[:alike]] == [step["token_id"] for step in here[:alike]]


def steps_in(output: str) -> list[Any]:
    return [record for record in map(strict, output.splitlines()) if "token_id" in record]


def until_rounding(here: list[Any], there: list[Any]) -> int:
    """How many tokens come before the first that differs, at which the two say the same of the logits.

    A process multiplies with AMX's tiles, which a server does not, so their logits differ in the last bits; a draw that
    falls on the border of two tokens may then give either.
    """
    for at, (ours, theirs) in enumerate(zip(here, there, strict=True)):
        assert theirs["entropy"] == pytest.approx(ours["entropy"], abs=CLOSE_NATS)
        if ours["token_id"] != theirs["token_id"]:
            assert at > 0, "the first token differs"
            return at
    return len(here)


def test_python_takes_them_in_a_list_or_with_commas(two: str) -> None:
    for servers in (two, two.split(",")):
        with negtemp.load(rpc_servers=servers) as model:
            assert not model.engine.model.on_devices, "a decode waits there, so nothing is done meanwhile"


def test_it_is_said_what_upstream_says_of_rpc(two: str) -> None:
    done = call("run", "-n", "1", "--rpc", two)
    assert two.split(",")[1] in done.stderr and "insecure" in done.stderr and "ssh -L" in done.stderr


@pytest.mark.parametrize("command", [["compare", "-n", "2"], ["spectrum"], ["audit", "--no-verify"]], ids=" ".join)
def test_other_commands_take_servers_too(two: str, command: list[str]) -> None:
    assert call(*command, "--rpc", two).returncode == 0


def test_a_server_that_is_lost_is_one_line(compiled: Library, tmp_path: Path) -> None:
    if not SERVER.exists() or not has_rpc(compiled):
        pytest.skip("not built with RPC: scripts/check_rpc.sh")
    model = write_llama(tmp_path / "long.gguf", spm_vocabulary([b"a", b"b"]), context=100_000)
    with serving() as (address, server):
        arguments = [NEGTEMP, "run", "-m", str(model), "-n", "90000", "--ignore-eos", "--json", "-p", "a"]
        with subprocess.Popen(
            [*arguments, "--rpc", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.readline(), process.stdout.readline()
            server.kill()
            process.stdout.read()
            said = process.stderr.read().splitlines()
            process.wait(120)
    assert process.returncode == 1
    assert said[-1].startswith("negtemp: an RPC server is lost") and "Traceback" not in said


def test_what_is_no_rpc_server_is_one_line(compiled: Library) -> None:
    if not has_rpc(compiled):
        pytest.skip("not built with RPC: scripts/check_rpc.sh")
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=hang_up, args=(other,), daemon=True).start()
        done = call("run", "-n", "1", "--rpc", f"127.0.0.1:{other.getsockname()[1]}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("negtemp: ") and "Traceback" not in done.stderr


def hang_up(listening: socket.socket) -> None:
    """Answer every caller with words of another protocol."""
    with contextlib.suppress(OSError):
        while True:
            with listening.accept()[0] as caller:
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_nobody_listening_is_one_line(compiled: Library) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = call("run", "-n", "1", "--rpc", f"127.0.0.1:{free.getsockname()[1]}")
    if has_rpc(compiled):
        assert done.returncode == 1 and "cannot be reached" in done.stderr.splitlines()[-1]
    else:
        assert done.returncode == 5 and "negtemp build --rpc" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("text", ["", ",", "host", "host:", ":1", "host:0", "host:65536", "host:1x", "a:1,a:1", "a:-1"])
def test_what_is_no_list_of_servers_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        rpc.servers_in(text)


def test_servers_and_workers_exclude_each_other(tmp_path: Path) -> None:
    done = call("sweep", "--workers", "2", "--rpc", "127.0.0.1:1", "-o", str(tmp_path / "o"))
    assert_one_line(done, 2)
