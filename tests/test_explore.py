"""`negtemp explore` as a server: who may ask it, and that what it answers is what the commands say."""

import json
import os
import signal
import socket
import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exploring import Explored, explored
from test_cli import assert_one_line, call, strict

import negtemp

pytest.importorskip("starlette", reason="the page needs the extra negtemp[web]")
pytest.importorskip("uvicorn", reason="the page needs the extra negtemp[web]")

IDS = [1, 450, 7, 300]


@pytest.fixture(scope="module")
def page() -> Iterator[Explored]:
    """The page of the bundled model."""
    with explored() as page:
        yield page


def drawn(page: Explored, **body: Any) -> list[dict[str, Any]]:
    status, content, _ = page.ask("/api/draw", {"drawn": [], "seed": 1, **body})
    assert status == 200, content
    return [json.loads(line) for line in content.splitlines()]


def run_records(command: str, *arguments: str) -> list[dict[str, Any]]:
    ids = ",".join(map(str, IDS))
    lines = call(command, "--prompt-ids", ids, *arguments, "--json").stdout.splitlines()
    return [record for record in map(strict, lines) if record["kind"] == "step"]


def test_the_page_itself_needs_no_token_and_forbids_everything_else(page: Explored) -> None:
    status, content, headers = page.ask("/", token="")
    assert status == 200 and b"<!doctype html>" in content
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


def test_no_file_holds_a_script_or_a_style_of_its_own_or_an_address() -> None:
    folder = Path(negtemp.__file__).parent / "web" / "page"
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "http://" not in text.replace("http://www.w3.org/", "") and "https://" not in text, file
        assert not any(word in text for word in ("innerHTML", "eval(", "insertAdjacentHTML", "document.write")), file
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "style=" not in html and "onclick" not in html and html.count("<script") == 1


@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_model_is_told_to_nobody_without_the_token(page: Explored, token: str) -> None:
    assert page.ask("/api/model", token=token)[0] == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8770", "127.0.0.1.evil.example", "[::1", "a b"])
def test_a_name_that_somebody_else_points_here_is_refused(page: Explored, host: str) -> None:
    assert page.ask("/", headers={"Host": host})[0] == 400
    assert page.ask("/api/model", headers={"Host": host})[0] == 400


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:99", "LOCALHOST"])
def test_a_tunnel_may_lead_here_from_any_port(page: Explored, host: str) -> None:
    assert page.ask("/api/model", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
def test_another_sites_page_is_refused(page: Explored, headers: dict[str, str]) -> None:
    assert page.ask("/api/model", headers=headers)[0] == 403


def test_the_logits_are_those_of_spectrum(page: Explored) -> None:
    _, content, _ = page.ask("/api/logits", {"ids": IDS})
    logits = np.frombuffer(content, "<f4").astype(np.float64)
    ids = ",".join(map(str, IDS))
    lines = call("spectrum", "--prompt-ids", ids, "--betas=-2,-0.1,0,0.5,1", "--json").stdout.splitlines()
    for record in map(strict, lines):
        if record["kind"] == "thermo":
            weights = record["beta"] * logits
            weights = np.exp(weights - weights.max())
            p = weights / weights.sum()
            assert -(p[p > 0] * np.log(p[p > 0])).sum() == pytest.approx(record["entropy"], abs=1e-6)


@pytest.mark.parametrize("beta", [1, -1, 0, -1000, "inf", "-inf"])
def test_a_draw_is_that_of_run(page: Explored, beta: float | str) -> None:
    steps = drawn(page, root=IDS, betas=[beta], count=6)[1:]
    expected = run_records("run", f"--beta={beta}", "-n", "6", "-s", "1")
    assert [step["token_id"] for step in steps] == [step["token_id"] for step in expected]


def test_draws_one_by_one_are_those_of_one_run(page: Explored) -> None:
    at_once = [step["token_id"] for step in drawn(page, root=IDS, betas=[-1], count=5)[1:]]
    one_by_one: list[int] = []
    for _ in range(5):
        head, step = drawn(page, root=IDS, drawn=one_by_one, betas=[-1], count=1)
        assert head == {"root": len(IDS)}
        one_by_one.append(step["token_id"])
    assert one_by_one == at_once


def test_a_branch_that_no_run_draws_becomes_part_of_the_root(page: Explored) -> None:
    head, *_ = drawn(page, root=IDS, drawn=[5, 6], betas=[-1], count=1)
    assert head == {"root": len(IDS) + 2}


def test_side_by_side_is_compare(page: Explored) -> None:
    steps = drawn(page, root=IDS, betas=[1000, 1, -1000], count=4)[1:]
    expected = run_records("compare", "--betas=1000,1,-1000", "-n", "4", "-s", "1")
    found = {(step["sequence"], step["position"]): step["token_id"] for step in steps}
    assert found == {(step["sequence"], step["position"]): step["token_id"] for step in expected}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("logits", {"ids": [99999]}, "99999"),
        ("logits", {"ids": []}, "no token"),
        ("logits", {"ids": [1.5]}, "no list of token ids"),
        ("logits", {"ids": [1] * 600}, "the context holds 512"),
        ("logits", b"{", "no JSON"),
        ("logits", b"[]", "no JSON object"),
        ("draw", {"root": IDS, "drawn": [], "betas": [], "seed": 1, "count": 1}, "betas"),
        ("draw", {"root": IDS, "drawn": [], "betas": ["nan"], "seed": 1, "count": 1}, "no number"),
        ("draw", {"root": IDS, "drawn": [], "betas": [1], "seed": -3, "count": 1}, "seed"),
        ("draw", {"root": IDS, "drawn": [], "betas": [1], "seed": 1, "count": 0}, "count"),
        ("tokenize", {"text": 5}, "no text"),
        ("tokenize", {"text": "\ud800"}, "UTF-8"),
    ],
)
def test_what_cannot_be_answered_is_one_line(page: Explored, path: str, body: Any, said: str) -> None:
    status, content, _ = page.ask(f"/api/{path}", body)
    error = json.loads(content)["error"]
    assert status == 400 and said in error and "\n" not in error


def test_too_large_a_request_is_refused(page: Explored) -> None:
    assert page.ask("/api/tokenize", {"text": "a" * (5 << 20)})[0] == 413


@pytest.mark.parametrize(("path", "status"), [("/../pyproject.toml", 404), ("/api/nothing", 404), ("/main.py", 404)])
def test_nothing_else_is_served(page: Explored, path: str, status: int) -> None:
    assert page.ask(path)[0] == status


def test_bytes_that_are_no_request_do_no_harm(page: Explored) -> None:
    host, _, port = page.base.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"\x16\x03\x01\x00garbage\r\n\r\n")
        connection.recv(4096)
    with socket.create_connection((host, int(port))) as connection:  # a reset in the middle of a request
        connection.sendall(b"POST /api/draw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert page.ask("/api/model")[0] == 200


def test_a_reader_that_goes_away_stops_the_stream(page: Explored) -> None:
    body = {"root": IDS, "drawn": [], "betas": [-1], "seed": 1, "count": 400}
    request = urllib.request.Request(f"{page.base}/api/draw", json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {page.token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        answer.readline()
    assert page.ask("/api/logits", {"ids": IDS})[0] == 200


def test_two_pages_ask_in_turn(page: Explored) -> None:
    first = drawn(page, root=IDS, betas=[-1], count=3)
    drawn(page, root=[1], betas=[1], count=3)
    again = drawn(page, root=IDS, drawn=[step["token_id"] for step in first[1:]], betas=[-1], count=1)
    assert again[0] == {"root": len(IDS)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_a_stream_is_open(number: signal.Signals, tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as stderr, explored(stderr=stderr) as page:
        body = {"root": IDS, "drawn": [], "betas": [-1], "seed": 1, "count": 500}
        request = urllib.request.Request(f"{page.base}/api/draw", json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {page.token}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            answer.readline()
            page.process.send_signal(number)
            page.process.wait(timeout=60)
        assert page.process.returncode in (0, -number, 128 + number)
    said = (tmp_path / "stderr").read_text()
    assert said.startswith("exploring ") and said.count("\n") == 1, said


def test_a_port_in_use_is_one_line(page: Explored) -> None:
    port = page.base.rpartition(":")[2]
    done = call("explore", "--port", port)
    assert_one_line(done, 1)
    assert f"port {port}" in done.stderr and "--port" in done.stderr


def test_a_model_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    assert_one_line(call("explore", "--port", "0", "-m", str(tmp_path / "bad.gguf")), 1)


def test_an_address_that_others_reach_needs_a_key() -> None:
    done = call("explore", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2 and "--api-key" in done.stderr


def test_a_key_of_ones_own_opens_it() -> None:
    with explored("--api-key", "open sesame") as page:
        assert "#" not in page.url
        assert page.ask("/api/model", token="open sesame")[0] == 200
        assert page.ask("/api/model", token="")[0] == 401


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "starlette").mkdir()
    (tmp_path / "starlette" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = call("explore", "--port", "0", environment={"PYTHONPATH": path})
    assert_one_line(done, 1)
    assert "pip install 'negtemp[web]'" in done.stderr
