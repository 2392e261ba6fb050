"""The caches of the hub, Ollama, LM Studio and llama.cpp, as those programs lay them out, with heads of GGUF files."""

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMIT, OLDER = "a" * 40, "b" * 39 + "1"
MODEL, TENSOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.tensor"


def gguf_head(size: int = 64, split: bool = False) -> bytes:
    """A file that begins as an empty model, or as a later part of one, of so many bytes."""
    key = b"\x0b\x00\x00\x00\x00\x00\x00\x00split.count" if split else b""
    return (struct.pack("<4sIQQ", b"GGUF", 3, 0, 0) + key).ljust(size, b"\0")


def hub(
    root: Path, repository: str, files: dict[str, bytes], commit: str = COMMIT, revision: str | None = "main"
) -> Path:
    """A snapshot in the hub's cache as its client writes one; gives the repository's folder."""
    base = root / ("models--" + repository.replace("/", "--"))
    for name, data in files.items():
        blob = base / "blobs" / hashlib.sha256(data).hexdigest()
        link = base / "snapshots" / commit / name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link.symlink_to(Path(*[".."] * (2 + name.count("/")), "blobs", blob.name))
    if revision:
        ref = base / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)
    return base


def ollama_blob(root: Path, data: bytes) -> dict[str, Any]:
    """A layer of Ollama's; gives what a manifest says of it, but its type."""
    digest = hashlib.sha256(data).hexdigest()
    path = root / "blobs" / f"sha256-{digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def manifest(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What Ollama writes of a model of these layers."""
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:" + "c" * 64, "size": 5}
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    return {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": list(layers)}


def ollama(root: Path, name: str, tag: str, content: Any, host: str = "registry.ollama.ai") -> Path:
    """A named manifest; gives its file."""
    path = root / "manifests" / host / name / tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def ollama_v2(root: Path, name: str, tag: str, content: Any) -> Path:
    """The same as newer versions write it: a blob, and a link to it."""
    blob = ollama_blob(root, json.dumps(content).encode())
    path = root / "manifests-v2" / "ollama.com" / name / tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(root / "blobs" / blob["digest"].replace(":", "-"))
    return path
