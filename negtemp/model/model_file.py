"""A model reference to a file that is worth handing to llama.cpp.

A reference is a path, a name (`references`) or nothing, which means the bundled model. What can be told from the first
bytes is told here, in one line, before llama.cpp sees the file: no such file, a folder, an empty or truncated header,
counts that the file cannot hold.

Source: the GGUF specification (ggml, docs/gguf.md): magic, version, tensor count, metadata count, little-endian.
"""

import os
import stat
import struct
from importlib import resources
from pathlib import Path

from negtemp.errors import ModelError
from negtemp.model import references
from negtemp.model.references.found import Found
from negtemp.printable import printable, printable_path
from negtemp.text_input import STANDARD_INPUT

BUNDLED = "tiny.gguf"

_HEADER = struct.Struct("<4sIQQ")
_VERSIONS = (2, 3)
# a name's length, a type and a value; a name's length, dimensions, a type and an offset
_LEAST_METADATA_BYTES = 13
_LEAST_TENSOR_BYTES = 24


def resolve(reference: str | os.PathLike[str] | None) -> Path:
    """The file that a reference means, after the checks named above. Raises UsageError, ModelError."""
    return find(reference).path


def find(reference: str | os.PathLike[str] | None) -> Found:
    """The same with how it was named. Raises UsageError for a malformed reference, ModelError."""
    found = Found(bundled()) if reference is None else references.find(reference)
    check(found.path)
    return found


def bundled() -> Path:
    """The path of the model that ships with the package."""
    return Path(str(resources.files("negtemp") / "data" / BUNDLED))


def check(path: Path) -> None:
    """Raise ModelError, in one line, unless the file begins as a GGUF file of plausible counts."""
    if path == STANDARD_INPUT:
        raise ModelError("a model cannot come from standard input; save it as a file and give its path with --model")
    if path.is_dir():
        raise ModelError(f"{printable_path(path)} is a folder; name the .gguf file in it")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(
                f"{printable_path(path)} is a pipe or a device, and a model is mapped from a file; save it as one first"
            )
        size = status.st_size
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except FileNotFoundError:
        raise ModelError(f"no model file at {printable_path(path)}; give the path of a .gguf file as `model`") from None
    except OSError as error:
        raise ModelError(f"cannot read {printable_path(path)}: {error.strerror}") from error
    problem = _problem(head, size)
    if problem:
        raise ModelError(f"{printable_path(path)} {problem}; download or convert the model again")


def _problem(head: bytes, size: int) -> str | None:
    if size == 0:
        return "is empty"
    if head[:4] != b"GGUF":
        return f"is no GGUF file: it begins with {printable(head[:4])!r}, not 'GGUF'"
    if len(head) < _HEADER.size:
        return f"is cut off after {size} bytes, inside the header"
    _, version, tensors, metadata = _HEADER.unpack(head)
    if version not in _VERSIONS:
        return f"is GGUF version {version}; llama.cpp reads versions 2 and 3 in this machine's byte order"
    if tensors * _LEAST_TENSOR_BYTES + metadata * _LEAST_METADATA_BYTES > size:
        return f"claims {tensors} tensors and {metadata} metadata entries in {size} bytes: it is cut off or corrupt"
    return None
