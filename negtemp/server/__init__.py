"""The patched llama-server: where it listens, the process, and the proof that it samples below zero."""

from negtemp.server.address import Address, free, keys_in
from negtemp.server.process import RefusedError, Server, executable, model_name

__all__ = ["Address", "RefusedError", "Server", "executable", "free", "keys_in", "model_name"]
