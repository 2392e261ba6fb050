"""Layers of a model on other machines: ggml-rpc-servers registered as devices before a model is loaded.

ggml's RPC backend offers each server's devices as if they were here, and llama.cpp spreads the layers over them.
Sampling stays in this process, so the patched sampler is the one that runs. The protocol is plain TCP without a
password, its servers trust whoever reaches them, and a server that is lost ends the process; ggml gives the reason to
the handler of `library.on_abort`. It leaves out starting servers.

Source: llama.cpp, `add_rpc_devices` in common/arg.cpp and tools/rpc/README.md.
"""

import ctypes
import socket
from collections.abc import Sequence

from negtemp.errors import EngineError, ModelError, UsageError
from negtemp.model.library import Library
from negtemp.printable import printable_text

_REACH_SECONDS = 5.0
_registered: set[str] = set()


def servers_in(text: str) -> tuple[str, ...]:
    """The servers of HOST:PORT,HOST:PORT. Raises UsageError.

    >>> servers_in("node1:50052, 127.0.0.1:50053")
    ('node1:50052', '127.0.0.1:50053')
    """
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for server in found:
        _address(server)
    if not found:
        raise UsageError("--rpc is empty; give HOST:PORT of a ggml-rpc-server, several with commas")
    if len(set(found)) < len(found):
        raise UsageError(f"--rpc names a server twice: {printable_text(text, keep=' ')}")
    return found


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{printable_text(server)!r} is no HOST:PORT of a ggml-rpc-server, such as 127.0.0.1:50052")
    return host, int(port)


def register(library: Library, servers: Sequence[str]) -> None:
    """Make the devices of these servers devices of this process, once.

    Raises EngineError where the library was built without RPC, ModelError for a server that cannot be reached.
    """
    new = [server for server in servers if server not in _registered]
    if not new:
        return
    add = _adder(library)
    for server in new:
        _reach(server)
        device = add(server.encode())
        if not device:
            raise ModelError(f"the RPC server {server} offers no device; is a ggml-rpc-server of this llama.cpp there?")
        library.ggml.ggml_backend_register(ctypes.c_void_p(device))
        _registered.add(server)


def in_use() -> bool:
    """Whether this process has such devices: each decode waits there until its logits have come."""
    return bool(_registered)


def _reach(server: str) -> None:
    """Raise ModelError where nothing listens; ggml would end the process instead."""
    try:
        socket.create_connection(_address(server), _REACH_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"the RPC server {server} cannot be reached: {reason}; start ggml-rpc-server there") from None


def _adder(library: Library) -> "ctypes._CFunctionType":
    """ggml_backend_rpc_add_server, which only the RPC backend itself knows."""
    ggml = library.ggml
    ggml.ggml_backend_reg_by_name.restype = ctypes.c_void_p
    ggml.ggml_backend_reg_get_proc_address.restype = ctypes.c_void_p
    backend = ggml.ggml_backend_reg_by_name(b"RPC")
    if not backend:
        raise EngineError("this build has no RPC; build it with: negtemp build --rpc")
    address = ggml.ggml_backend_reg_get_proc_address(ctypes.c_void_p(backend), b"ggml_backend_rpc_add_server")
    return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)
