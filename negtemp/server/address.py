"""Where llama-server listens, the keys that its clients must send, and a port that is free.

An address that other machines reach needs a key. Keys are read as llama.cpp reads them: comma-separated values, or a
file with one a line, where `#` begins a comment. Spaces, line ends and a byte order mark around a key are no part of
it. It leaves out TLS, sockets in the file system and more than one address.

Source: llama.cpp, common/arg.cpp (`--host`, `--port`, `--api-key`, `--api-key-file`, `--api-prefix`).
"""

import csv
import dataclasses
import io
import ipaddress
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from negtemp.errors import NegtempError, UsageError
from negtemp.printable import printable_path

# an address that means "every interface", and one under which this machine reaches it
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and what clients must send: one key, or several separated by commas."""

    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError for an address open to other machines without a key, and for a malformed part."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}; give a number from 1 to 65535, or 0 for any free one")
        if "," in self.host or self.host.endswith(".sock"):
            raise UsageError(f"--host is {printable_path(self.host)}; give one address of a network interface")
        if not re.fullmatch(r"(/[\w.~-]+)*", self.prefix, re.ASCII):
            raise UsageError(f"--api-prefix is {printable_path(self.prefix)}; give a path such as /llm")
        if not all(key.isascii() and key.isprintable() for key in self.keys):
            raise UsageError("an API key holds characters that no HTTP header can; give it in printable ASCII")
        if not self.keys and not _is_loopback(self.host):
            raise UsageError(f"--host {printable_path(self.host)} is open to others; give an --api-key with it")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, any of which a client may send; none where everybody may ask."""
        # a line end would be an error to the reader, and is no part of a key
        rows = csv.reader(io.StringIO(self.api_key or "", newline=""))
        return tuple(key.strip() for row in rows for key in row if key.strip())

    @property
    def url(self) -> str:
        """The base URL of the OpenAI API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self.prefix}/v1"

    @property
    def reached_at(self) -> str:
        """The host under which this machine itself reaches the server."""
        return _EVERYWHERE.get(self.host, self.host)


def row(keys: tuple[str, ...]) -> str:
    """The keys as one row of comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(keys)
    return text.getvalue()


def keys_in(path: Path) -> str:
    """The keys in a file, as one row. Raises NegtempError where it cannot be read or holds none."""
    shown = printable_path(path)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise NegtempError(f"cannot read --api-key-file {shown}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NegtempError(f"--api-key-file {shown} is not UTF-8 text; write one key a line") from None
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise NegtempError(f"--api-key-file {shown} holds no key; write one key a line")
    return row(keys)


def free(address: Address) -> Address:
    """The address with a port that nothing listens on. Raises NegtempError where the port is taken or not ours."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            return dataclasses.replace(address, port=probe.getsockname()[1])
    except (OSError, UnicodeError, TypeError) as error:  # the codec of host names raises the last two
        reason = getattr(error, "strerror", None) or "no such host"
        raise NegtempError(
            f"cannot listen on {printable_path(address.host)} port {address.port}: {reason}; "
            "give another with --host or --port"
        ) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
