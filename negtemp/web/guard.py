"""Who may ask the page's server for what: checked before anything else sees a request.

    Host                  names this machine, at any port, so that `ssh -L` may lead here from any local port; a name
                          that somebody else's DNS points at this machine (DNS rebinding) is refused with 400
    Origin                where a browser says which page asks, it is a page of this server; else 403
    Authorization         below /api/, the session's token or a key; else 401. A page gets it from its address's
                          fragment, which no browser sends anywhere

Every answer forbids the page to load or run anything but its own files. It leaves out TLS: a tunnel has it.

Source: the Fetch standard (Origin, Sec-Fetch-Site), Content Security Policy level 3.
"""

import hmac
import ipaddress
import re
import socket
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/api/"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII | re.IGNORECASE)


class Guard:
    """Middleware: refuses what is named above, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, keys: Sequence[str], host: str) -> None:
        """`keys`: any of them opens the API. `host`: the address that the server was told to listen at."""
        self._app, self._keys = app, [key.encode() for key in keys]
        self._names = {"localhost"} if _is_loopback(host) else {"localhost", host.lower(), socket.gethostname().lower()}
        self._only_loopback = _is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # neither websockets nor anything else is spoken here
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["path"])
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, headers: Headers, path: str) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return _no(
                400, "this server answers to localhost and to addresses of this machine; check the page's address"
            )
        origins = headers.getlist("origin")
        if origins and origins != [f"http://{hosts[0]}"]:
            return _no(403, "another site's page may not ask this server")
        if not path.startswith(API):
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _no(403, "another site's page may not ask this server")
        if not self._opens(headers.get("authorization", "")):
            return _no(401, "the key is missing or not this session's; take the address that the terminal printed")
        return None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower().strip("[]").removesuffix(".")
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._only_loopback

    def _opens(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._is_key(given.encode())

    def _is_key(self, given: bytes) -> bool:
        """Compared with every key, whichever fits, so that the time says nothing."""
        fitting = [hmac.compare_digest(given, key) for key in self._keys]
        return any(fitting)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _no(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status)
