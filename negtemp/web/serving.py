"""The page's server on a socket, from its start to Ctrl-C.

The port is bound before anything is said, so that one in use is a line and not a page that never comes. It leaves out
what is answered (`service`).
"""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from negtemp.errors import NegtempError
from negtemp.model.engine.engine import Engine
from negtemp.printable import printable_path
from negtemp.server import Address
from negtemp.web.decoding import Decoder
from negtemp.web.guard import Guard
from negtemp.web.service import Beginning, CommandLine, Service
from negtemp.web.worker import Worker

_TOKEN_BYTES = 18
_BACKLOG = 64
# of the three seconds after Ctrl-C
_CONNECTIONS_SECONDS, _DECODING_SECONDS = 1, 1.0


@dataclass(frozen=True)
class Opened:
    """A page that can be visited: its address, and whether that opens it without a key."""

    url: str
    has_token: bool


def bound(address: Address) -> socket.socket:
    """A listening socket. Raises NegtempError where the port is taken or not ours."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(_BACKLOG)
    except (OSError, UnicodeError, TypeError) as error:  # the codec of host names raises the last two
        listening.close()
        reason = getattr(error, "strerror", None) or "no such host"
        raise NegtempError(
            f"cannot listen on {printable_path(address.host)} port {address.port}: {reason}; "
            "give another with --host or --port"
        ) from None
    return listening


def serve(
    engine: Engine, address: Address, listening: socket.socket, ctx_size: int, command: CommandLine,
    beginning: Beginning, ready: Callable[[Opened], None],
) -> bool:  # fmt: skip
    """Serve the page until a signal; whether the decoding had ended by then, so that the model may be freed."""
    keys = address.keys or (secrets.token_urlsafe(_TOKEN_BYTES),)
    worker, decoder = Worker(), Decoder(engine, ctx_size)
    guarded = Guard(Service(engine, decoder, worker, command, beginning).application(), keys, address.host)
    config = uvicorn.Config(
        guarded, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=_CONNECTIONS_SECONDS,
        # it would show the stack of every stream that Ctrl-C cuts off
        log_level="critical",
    )  # fmt: skip
    port = listening.getsockname()[1]
    host = f"[{address.reached_at}]" if ":" in address.reached_at else address.reached_at
    fragment = "" if address.keys else f"#token={keys[0]}"
    ready(Opened(f"http://{host}:{port}/{fragment}", not address.keys))
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()
        ended = worker.close(_DECODING_SECONDS)
        if ended:
            decoder.close()
    return ended
