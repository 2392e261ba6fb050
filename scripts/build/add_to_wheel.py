"""Put files into a wheel, with their lines in its RECORD. Usage: add_to_wheel.py WHEEL FOLDER FILE...

A file that is not there is left out: the kernel is one that a build does without. Source: Python Packaging User Guide,
"Binary distribution format", the .dist-info directory.
"""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path


def add(wheel: Path, folder: str, files: list[Path]) -> None:
    """Rewrite `wheel` with `files` in `folder` of it."""
    added = {f"{folder}/{file.name}": file.read_bytes() for file in files if file.is_file()}
    rewritten = wheel.with_suffix(".new")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(rewritten, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename.endswith(".dist-info/RECORD"):
                content += "".join(record_line(name, data) for name, data in added.items()).encode()
            new.writestr(item, content)
        for name, data in added.items():
            new.writestr(name, data)
    rewritten.replace(wheel)


def record_line(name: str, data: bytes) -> str:
    """A line of RECORD: path, SHA-256 in URL-safe base64 without padding, size."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


if __name__ == "__main__":
    add(Path(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]])
