"""The clients: each runs in a thread of its own until it is told to stop, and counts what it saw.

An honest one asks again and again, whole and streamed, and compares the token ids with those that the engine draws
alone, as far as these do not hang on rounding: requests that share a batch meet other last bits of the logits.
"""

import http.client
import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server_load import garbage

_PATIENCE_SECONDS = 300.0
_SLOW_BYTES, _SLOW_SECONDS = 64, 0.2


@dataclass(frozen=True)
class Question:
    """A request and the token ids with which its answer must begin."""

    body: dict[str, Any]
    expected: list[int]


class Clients:
    """What all of them share: the server's port, the signal to stop, and the counts."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def count(self, what: str, wrong: str | None = None) -> None:
        """One more of these; `wrong` says what should not have been."""
        with self._lock:
            self.counts[what] += 1
            if wrong is not None:
                self.wrong.append(wrong)

    def honest(self, questions: Sequence[Question]) -> None:
        """Asks each question in turn, every second one as a stream."""
        for number, question in enumerate(itertools.cycle(questions)):
            if self.over.is_set():
                return
            stream = number % 2 == 1
            try:
                status, ids = self._tokens({**question.body, "stream": stream})
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.count("no answer", f"{question.body['temperature']}: {error!r}")
                continue
            if status != 200:
                self.count(f"status {status}", f"{question.body['temperature']}: status {status}")
            elif ids[: len(question.expected)] != question.expected:
                self.count("other answer", f"{question.body}: {ids}, not {question.expected}")
            else:
                self.count("streamed" if stream else "whole")

    def _tokens(self, body: dict[str, Any]) -> tuple[int, list[int]]:
        answer, connection = self._post("/completion", json.dumps(body).encode())
        try:
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200 or not body["stream"]:
            return answer.status, json.loads(text).get("tokens", [])
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: {")]
        return answer.status, [token for event in events for token in event["tokens"]]

    def _post(self, path: str, body: bytes) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        connection.request("POST", path, body, {"Content-Type": "application/json", "Connection": "close"})
        return connection.getresponse(), connection

    def slow(self, body: dict[str, Any]) -> None:
        """Reads a long stream a few bytes at a time."""
        while not self.over.is_set():
            answer, connection = self._post("/completion", json.dumps({**body, "stream": True}).encode())
            while not self.over.wait(_SLOW_SECONDS) and answer.read(_SLOW_BYTES):
                self.count("slow reads")
            connection.close()

    def leaving(self, body: dict[str, Any]) -> None:
        """Goes away after the first bytes of a long stream."""
        while not self.over.is_set():
            answer, connection = self._post("/completion", json.dumps({**body, "stream": True}).encode())
            answer.read(_SLOW_BYTES)
            connection.close()
            self.count("left")

    def garbage(self) -> None:
        """Sends what is no request, and what is no HTTP."""
        for path, body in itertools.cycle(garbage.REFUSED):
            if self.over.is_set():
                return
            self.refused(path, body)
            self.no_http(garbage.NOT_HTTP[self.counts["refused"] % len(garbage.NOT_HTTP)])

    def refused(self, path: str, body: bytes) -> None:
        """Sends a body that must be refused: 400, or 501 for what the model cannot do, in OpenAI's shape."""
        shown = f"{path} {body[:80]!r}"
        try:
            answer, connection = self._post(path, body)
            text = answer.read()
            connection.close()
            error = json.loads(text)["error"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as problem:
            self.count("no refusal", f"{shown}: {problem!r}")
            return
        fine = answer.status in (400, 501) and error.keys() >= {"code", "message", "type"}
        self.count("refused", None if fine else f"{shown}: {answer.status} {error}")

    def any(self, path: str, body: dict[str, Any]) -> None:
        """Sends a body that may be answered, or refused in OpenAI's shape by a status below 500, or 501."""
        shown = f"{path} {json.dumps(body)[:300]}"
        try:
            answer, connection = self._post(path, json.dumps(body).encode())
            text = answer.read()
            connection.close()
            error = {} if answer.status == 200 else json.loads(text)["error"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as problem:
            self.count("no answer", f"{shown}: {problem!r}")
            return
        fine = answer.status == 200 or (
            (answer.status < 500 or answer.status == 501) and error.keys() >= {"code", "message", "type"}
        )
        self.count(f"status {answer.status}", None if fine else f"{shown}: {answer.status} {error}")

    def no_http(self, sent: bytes) -> None:
        """Sends bytes, and reads what comes back, if anything."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), _PATIENCE_SECONDS) as raw:
                raw.sendall(sent)
                raw.shutdown(socket.SHUT_WR)
                first = raw.recv(16)
        except OSError:  # it closes on us
            first = b""
        self.count("no HTTP", f"{sent[:60]!r}: {first!r}" if first[9:10] == b"5" else None)
