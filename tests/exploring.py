"""A running `negtemp explore`, for tests: its address, its token, and questions to it."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

from test_cli import NEGTEMP


@dataclass(frozen=True)
class Explored:
    """A page that is served, and the process that serves it."""

    process: subprocess.Popen[str]
    url: str

    @property
    def base(self) -> str:
        """The address without the fragment."""
        return self.url.split("#")[0].rstrip("/")

    @property
    def token(self) -> str:
        return self.url.partition("#token=")[2]

    def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None, token: str | None = None
    ) -> tuple[int, bytes, Message]:
        """Status, content and headers of an answer; with this session's token unless another is given."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}{path}", data)
        request.add_header("Authorization", f"Bearer {self.token if token is None else token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read(), refused.headers


@contextmanager
def explored(*arguments: str, stderr: IO[str] | None = None) -> Iterator[Explored]:
    """`negtemp explore` at a free port, until the block ends."""
    command = [NEGTEMP, "explore", "--port", "0", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield Explored(process, process.stdout.readline().strip())
        finally:
            process.kill()
