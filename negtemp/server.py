"""Starts the patched llama-server on a model, proves that it samples below zero, and stops it.

Every filter is off unless a request or an option asks for it, because few clients can switch off top-k; llama.cpp would
otherwise take its own defaults, or those that a file's metadata names. The server's log is kept in a short memory whose
last complaint is quoted when it does not start. It leaves out HTTP: clients talk to llama-server itself.

Source: llama.cpp, tools/server/README.md (`/health`, `/completion`).
"""

import ipaddress
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from negtemp.errors import EngineMissingError, ModelError, NegtempError, UnpatchedLibraryError, UsageError
from negtemp.model import model_file
from negtemp.printable import printable

FIX = "build it with `scripts/build_llama.sh --tools` in a clone of negtemp"
FILTERS_OFF = (
    "--top-k", "0", "--top-p", "1", "--min-p", "0", "--top-nsigma", "-1", "--typical", "1", "--xtc-probability", "0",
    "--repeat-penalty", "1", "--presence-penalty", "0", "--frequency-penalty", "0", "--dry-multiplier", "0",
    "--mirostat", "0", "--samplers", "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature",
)  # fmt: skip

_POLL_SECONDS = 0.1
_STOP_SECONDS = 10.0
_LOG_LINES = 64
_COMPLAINTS = ("error", "failed", "invalid", "cannot", "unknown")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and the key that clients must send."""

    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for an address that other machines reach without a key, or a port that is none."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}; give a number from 1 to 65535, or 0 for any free one")
        if not self.api_key and not _is_loopback(self.host):
            raise UsageError(f"--host {printable(self.host.encode())} is open to others; give an --api-key with it")

    @property
    def url(self) -> str:
        """The base URL of the OpenAI API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def free(address: Address) -> Address:
    """The address with a port that nothing listens on. Raises NegtempError where the port is taken or not ours."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            return Address(address.host, probe.getsockname()[1], address.api_key)
    except OSError as error:
        reason = error.strerror or "no such host"
        raise NegtempError(
            f"cannot listen on {address.host} port {address.port}: {reason}; give another with --port"
        ) from None


def executable() -> Path:
    """llama-server beside this Python. Raises EngineMissingError."""
    path = Path(sys.executable).with_name("llama-server")
    if not path.is_file():
        raise EngineMissingError(f"llama-server is not in this environment; {FIX}")
    return path


class Server:
    """A running llama-server. Use it as a context manager: it stops with the block."""

    def __init__(
        self, model: Path, address: Address, options: Sequence[str] = (), log: IO[str] | None = None,
        program: Path | None = None,
    ) -> None:  # fmt: skip
        """Starts it; `options` go to llama-server as they are, and its log to `log`. Raises NegtempError."""
        model_file.check(model)
        self.model, self.address = model, free(address)
        command = [str(program or executable()), "--model", str(model), "--alias", model.stem]
        command += ["--host", address.host, "--port", str(self.address.port)]
        key = ["--api-key", address.api_key] if address.api_key else []
        self._last_lines: deque[str] = deque(maxlen=_LOG_LINES)
        # a session of its own, so that Ctrl-C reaches negtemp alone and the stop is ours to order
        self._process = subprocess.Popen(
            [*command, *key, *FILTERS_OFF, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="surrogateescape", start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def _read(self, log: IO[str] | None) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            shown = printable(line.strip().encode("utf-8", "surrogateescape"), keep=" ")
            self._last_lines.append(shown)
            if log is not None:
                log.write(f"{shown}\n")
                log.flush()

    def wait_until_ready(self) -> None:
        """Returns when the model is loaded. Raises ModelError, with the server's reason, where it ends instead."""
        while not self._is_healthy():
            if self._process.poll() is not None:
                self._reader.join()
                raise ModelError(f"llama-server cannot serve {model_file.shown(self.model)}: {self._complaint()}")
            time.sleep(_POLL_SECONDS)

    def _is_healthy(self) -> bool:
        try:
            return self.ask("health") is not None
        except (OSError, ValueError):  # not listening yet, or 503 while it loads
            return False

    def _complaint(self) -> str:
        complaints = [line for line in self._last_lines if any(word in line.lower() for word in _COMPLAINTS)]
        return "; ".join((complaints or list(self._last_lines) or ["no reason given"])[-2:])

    def prove(self) -> None:
        """Raises UnpatchedLibraryError where a request at T = -0.001 gets the token that T = 0 gets."""
        below, zero = (self._first_token(temperature) for temperature in (-0.001, 0.0))
        if below == zero:
            raise UnpatchedLibraryError(f"this llama-server gives the most likely token at T=-0.001; {FIX}")

    def _first_token(self, temperature: float) -> Any:
        request = {"prompt": "Temperature", "n_predict": 1, "temperature": temperature, "ignore_eos": True,
                   "return_tokens": True, "cache_prompt": False}  # fmt: skip
        return self.ask("completion", request)["tokens"]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The server's answer to a GET, or to a POST of `body`. Raises OSError (HTTPError among them), ValueError."""
        url = f"{self.address.url.removesuffix('v1')}{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self.address.api_key:
            headers["Authorization"] = f"Bearer {self.address.api_key}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return json.load(answer)

    def wait(self) -> None:
        """Returns when the server has ended by itself. Raises NegtempError where that was a failure."""
        status = self._process.wait()
        if status:
            self._reader.join()
            raise NegtempError(f"llama-server ended with status {status}: {self._complaint()}")

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
