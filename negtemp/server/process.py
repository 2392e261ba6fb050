"""Starts the patched llama-server on a model, proves that it samples below zero, and stops it.

Every filter is off unless a request, an option or llama.cpp's own environment variable asks for it, because few clients
can switch off top-k; llama.cpp would otherwise take its own defaults, or those that a file's metadata names. The log is
kept in a short memory whose last complaint is quoted when the server does not start. What is asked of the server itself
goes straight to its socket, past every proxy. It leaves out HTTP: clients talk to llama-server itself.

Source: llama.cpp, tools/server/README.md (`/health`, `/props`, `/completion`).
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from negtemp.errors import EngineMissingError, ModelError, NegtempError, UnpatchedLibraryError, UsageError
from negtemp.model import model_file
from negtemp.printable import printable, printable_path, printable_text
from negtemp.server.address import Address, free, row

FIX = "build it with: negtemp build --tools"
FILTERS_OFF = {
    "--top-k": "0", "--top-p": "1", "--min-p": "0", "--top-nsigma": "-1", "--typical": "1", "--xtc-probability": "0",
    "--repeat-penalty": "1", "--presence-penalty": "0", "--frequency-penalty": "0", "--dry-multiplier": "0",
    "--mirostat": "0", "--samplers": "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature",
}  # fmt: skip
READY_SECONDS = 600.0

_ANSWER_SECONDS = 600.0
_HEALTH_SECONDS = 5.0
_POLL_SECONDS = 0.1
_STOP_SECONDS = 10.0
_LOG_LINES = 64
_COMPLAINTS = ("error", "failed", "invalid", "cannot", "unknown")
# lines that say only that it failed, below those that say why
_CONSEQUENCES = ("failed to load model", "exiting due to")
# time and level, as llama.cpp's tools put them before a line
_STAMP = re.compile(r"^\d+(?:\.\d+)* [A-Z] +")
_LOADING = 503
# nothing of the options but the temperature, so that the proof is of the program alone
_PLAIN = {
    "samplers": ["temperature"], "dynatemp_range": 0, "mirostat": 0, "logit_bias": [], "backend_sampling": False,
    "prompt": "Temperature", "n_predict": 1, "seed": 1, "ignore_eos": True, "cache_prompt": False,
    "n_probs": 2, "post_sampling_probs": True, "return_tokens": True,
}  # fmt: skip
_ANY_TEXT = "root ::= .+"


class RefusedError(NegtempError):
    """The server answered, but not with what was asked for; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        """`message` is one line that says who answered what."""
        super().__init__(message)
        self.status = status


def executable() -> Path:
    """llama-server beside this Python. Raises EngineMissingError."""
    path = Path(sys.executable).with_name("llama-server")
    if not path.is_file():
        raise EngineMissingError(f"llama-server is not in this environment; {FIX}")
    return path


def model_name(model: Path) -> str:
    """The name that clients see: the file's, without its ending; a comma would make two names of it."""
    name = model.name[:-5] if model.name.lower().endswith(".gguf") else model.name
    return printable(os.fsencode(name), keep=" ").replace(",", "_")


class Server:
    """A running llama-server. Use it as a context manager: it stops with the block."""

    def __init__(
        self, model: Path, address: Address, options: Sequence[str] = (), log: IO[str] | None = None,
        program: Path | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        """Starts it; `options` go to llama-server as they are, and its log to `log`. Raises NegtempError."""
        model_file.check(model)
        self.model, self.address = model, free(address)
        self.name = name or model_name(model)
        command = [str(program or executable()), "--model", str(model), "--alias", self.name]
        command += ["--host", address.host, "--port", str(self.address.port), "--api-prefix", address.prefix]
        self._last_lines: deque[str] = deque(maxlen=_LOG_LINES)
        # a session of its own, so that Ctrl-C reaches negtemp alone and the stop is ours to order
        self._process = subprocess.Popen(
            [*command, *_filters_off(), *options], env=_environment(address), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="surrogateescape",
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def _read(self, log: IO[str] | None) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            shown = printable_text(line.strip(), keep=" ")
            self._last_lines.append(shown)
            if log is not None:
                log.write(f"{shown}\n")
                log.flush()

    def wait_until_ready(self, limit_seconds: float = READY_SECONDS) -> None:
        """Returns when the model is loaded. Raises ModelError, with the server's reason, where it ends instead, and
        NegtempError, with what it waited for, where it does neither in time.
        """
        deadline = time.monotonic() + limit_seconds
        while waited_for := self._not_ready():
            if self._process.poll() is not None:
                self._reader.join()
                raise ModelError(f"llama-server cannot serve {printable_path(self.model)}: {self._complaint()}")
            if time.monotonic() > deadline:
                raise NegtempError(f"llama-server is not ready after {limit_seconds:g} s: {waited_for}")
            time.sleep(_POLL_SECONDS)

    def _not_ready(self) -> str | None:
        """What there is to wait for, in words. Raises RefusedError where waiting would not help."""
        try:
            self.ask("health", seconds=_HEALTH_SECONDS)
        except RefusedError as refused:
            if refused.status != _LOADING:
                raise
            return f"it still loads {printable_path(self.model)}"
        except NegtempError as silent:
            return str(silent)
        return None

    def _complaint(self) -> str:
        errors = [_STAMP.sub("", line) for line in self._last_lines if " E " in (_STAMP.match(line) or [""])[0]]
        reasons = [line for line in errors if not any(words in line for words in _CONSEQUENCES)]
        complaints = [line for line in self._last_lines if any(word in line.lower() for word in _COMPLAINTS)]
        said = dict.fromkeys(reasons or errors or complaints or self._last_lines)
        return "; ".join([*self._signal(), *list(said)[-2:]]) or "no reason given"

    def _signal(self) -> Iterator[str]:
        """The signal that ended it, where one did."""
        status = self._process.returncode
        if status == -signal.SIGILL:
            yield f"it ended by SIGILL: it was compiled for another processor; {FIX}"
        elif status < 0:
            yield f"it ended by {signal.Signals(-status).name}"

    def prove(self) -> None:
        """Raises UnpatchedLibraryError unless the token that is most likely at T = 0.001 is not so at T = -0.001, and
        UsageError where an option takes temperature out of the chain. It compares distributions; nothing is drawn.
        """
        settings = self.settings()
        if "temperature" not in settings["samplers"]:
            raise UsageError(f"--samplers {';'.join(settings['samplers'])} leaves out temperature; add it to the list")
        grammar = {"grammar": _ANY_TEXT} if settings.get("grammar") else {}
        above, below = (self._likeliest(temperature, grammar) for temperature in (0.001, -0.001))
        # a model that prefers no token to another is the same on both sides
        if above[0][0] == below[0][0] and len({chance for _, chance in above + below}) > 1:
            raise UnpatchedLibraryError(f"this llama-server gives the most likely token at T=-0.001; {FIX}")

    def settings(self) -> dict[str, Any]:
        """What a request gets that asks for nothing: llama-server's names for samplers and their parameters."""
        settings: dict[str, Any] = self.ask("props")["default_generation_settings"]["params"]
        return settings

    def _likeliest(self, temperature: float, extra: dict[str, Any]) -> list[tuple[int, float]]:
        """The first tokens of the distribution after the samplers, most likely first, as (token id, probability)."""
        answer = self.ask("completion", {**_PLAIN, **extra, "temperature": temperature})
        positions = answer.get("completion_probabilities")
        if not positions:  # llama-server leaves out a token that ends within a character
            return [(answer["tokens"][0], 1.0), (-1, 0.0)]
        return [(token["id"], token["prob"]) for token in positions[0]["top_probs"]]

    def ask(self, path: str, body: dict[str, Any] | None = None, seconds: float = _ANSWER_SECONDS) -> Any:
        """The server's answer to a GET, or to a POST of `body`. Raises RefusedError where its status is not 200, and
        NegtempError where it gives none, or none that is JSON, in time.
        """
        where = f"{self.address.prefix}/{path}"
        headers = {"Content-Type": "application/json"}
        if self.address.keys:
            headers["Authorization"] = f"Bearer {self.address.keys[0]}"
        data = None if body is None else json.dumps(body).encode()
        # urllib would send this, and the key with it, to the proxy that http_proxy names
        connection = http.client.HTTPConnection(self.address.reached_at, self.address.port, timeout=seconds)
        try:
            with closing(connection):
                connection.request("GET" if data is None else "POST", where, data, headers)
                answer = connection.getresponse()
                text = answer.read()
            parsed = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NegtempError(f"nothing answers {self.address.url.removesuffix('/v1')}/{path} ({error})") from None
        if answer.status != 200:
            raise RefusedError(answer.status, f"llama-server answers {answer.status} to {where}: {_reason(parsed)}")
        return parsed

    def wait(self) -> None:
        """Returns when the server has ended by itself. Raises NegtempError where that was a failure."""
        # in slices: a wait without end that begins just after a signal has come would never see it
        while (status := self._process.poll()) is None:
            time.sleep(_POLL_SECONDS)
        if status:
            self._reader.join()
            raise NegtempError(f"llama-server ended with status {status}: {self._complaint()}")

    @property
    def pid(self) -> int:
        """The process id of llama-server."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> int:
        """Ask it to end, and see that it does. Returns its exit status."""
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
        return self._process.returncode

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _filters_off() -> list[str]:
    """Each filter's option, unless an environment variable of llama.cpp's sets it."""
    names = {option: f"LLAMA_ARG_{option[2:].upper().replace('-', '_')}" for option in FILTERS_OFF}
    return [part for option, off in FILTERS_OFF.items() if names[option] not in os.environ for part in (option, off)]


def _environment(address: Address) -> dict[str, str]:
    """Ours, with the keys, which on the command line every user of the machine could read; without the variables that
    would name other keys, or, for a cloud, another port.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIP_")}
    if address.keys:
        kept.pop("LLAMA_ARG_API_KEY_FILE", None)
        kept["LLAMA_API_KEY"] = row(address.keys)
    return kept


def _reason(answer: Any) -> str:
    """The message in OpenAI's shape of an error, safe to print; or the answer, where it has another."""
    try:
        message = answer["error"]["message"]
    except (KeyError, TypeError):
        message = json.dumps(answer)
    return printable(str(message).strip().encode("utf-8", "surrogatepass"), keep=" ")
