"""`ollama:[namespace/]name[:tag]`: models that Ollama has pulled, read where they lie.

    manifests/registry.ollama.ai/library/NAME/TAG     a manifest: JSON that lists layers by their digest
    manifests-v2/ollama.com/library/NAME/TAG          the same of newer versions, or a list of manifests, one a runner
    blobs/sha256-DIGEST                               a layer; the one of type image.model is a GGUF file

They lie below OLLAMA_MODELS, or `~/.ollama/models`, or that of the user `ollama`, who runs Ollama as a service. Models
that only MLX can run are a layer a tensor, and are refused; so are those of a remote host, and those with an adapter,
which would be left out.

Source: Ollama's manifest/manifest.go, manifest/paths.go and types/model/name.go.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negtemp.errors import ModelError, UsageError
from negtemp.model.references.found import Found
from negtemp.printable import printable, printable_path
from negtemp.records.local_model import LocalModel, size_text

FORM = "ollama:name or ollama:name:tag, with a namespace before it as in ollama:someone/name:tag"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_LONGEST = 350
_ROOTS = (("manifests-v2", "ollama.com"), ("manifests", "registry.ollama.ai"), ("manifests", "ollama.com"))
_PUBLIC = {host for _, host in _ROOTS}
_LIBRARY, _LATEST = "library", "latest"
_TYPE = "application/vnd.ollama.image."
_LIST = "application/vnd.ollama.manifest.list.v2+json"
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")
_SYSTEM = Path("/usr/share/ollama/.ollama/models")


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart; the host is empty for Ollama's own."""

    host: str
    namespace: str
    model: str
    tag: str

    def __str__(self) -> str:
        before = f"{self.host}/{self.namespace}/" if self.host else ""
        if not self.host and self.namespace != _LIBRARY:
            before = f"{self.namespace}/"
        return f"ollama:{before}{self.model}:{self.tag}"


def parse(text: str) -> Name:
    """A name behind `ollama:`. Raises UsageError."""
    path, _, tag = text.rpartition(":") if ":" in text.rpartition("/")[2] else (text, "", _LATEST)
    parts = path.split("/")
    if len(text) > _LONGEST or not 1 <= len(parts) <= 3 or not all(map(_is_part, (*parts[-2:], tag))):
        raise UsageError(f"ollama:{printable(os.fsencode(text), ' ')}: that is no name of a model; write {FORM}")
    host, namespace, model = ["", _LIBRARY][: 3 - len(parts)] + parts
    if len(parts) == 3 and not all(_is_part(part) for part in host.split(":")):
        raise UsageError(f"ollama:{printable(os.fsencode(text), ' ')}: that is no name of a model; write {FORM}")
    return Name("" if host in _PUBLIC else host, namespace, model, tag)


def _is_part(text: str) -> bool:
    return bool(_PART.fullmatch(text)) and ".." not in text


def folders() -> list[Path]:
    """Every folder that may hold models, the user's own first; only the chosen one where OLLAMA_MODELS is set."""
    if given := os.environ.get("OLLAMA_MODELS"):
        return [Path(given)]
    return [Path(os.path.expanduser("~/.ollama/models")), _SYSTEM]


def find(text: str) -> Found:
    """The blob that a name behind `ollama:` means. Raises UsageError, ModelError."""
    name = parse(text)
    for root in folders():
        for path in _manifests(root, name):
            if path.is_file():  # a link of a newer version's may lead nowhere while the older manifest is there
                manifest = _read(path)
                problem, layer = _model_layer(manifest.content, root)
                if problem:
                    raise ModelError(f"{name} {problem}")
                return Found(_blob(root, str(layer["digest"])), str(name), manifest.digest)
    looked = " or ".join(map(printable_path, folders()))
    raise ModelError(f"{name} is not in {looked}; `ollama pull {name.model}` fetches it, `negtemp models` lists others")


def _manifests(root: Path, name: Name) -> list[Path]:
    below = Path(name.namespace, name.model, name.tag)
    if name.host:
        return [root / kind / name.host / below for kind in ("manifests-v2", "manifests")]
    return [root / kind / host / below for kind, host in _ROOTS]


@dataclass(frozen=True, slots=True)
class _Manifest:
    content: Any
    digest: str


def _read(path: Path) -> _Manifest:
    try:
        data = path.read_bytes()
        return _Manifest(json.loads(data), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise ModelError(f"cannot read Ollama's manifest {printable_path(path)}: {error.strerror}") from None
    except ValueError:
        raise ModelError(f"Ollama's manifest {printable_path(path)} is not JSON; pull the model again") from None


def _model_layer(manifest: Any, root: Path) -> tuple[str | None, dict[str, Any]]:
    """What is wrong with a manifest for us, or None and the layer that is the GGUF file."""
    layers = _layers(manifest, root)
    if layers is None:
        return "has a manifest that is not as Ollama writes them; pull it again", {}
    kinds = [str(layer.get("mediaType", "")).removeprefix(_TYPE) for layer in layers]
    models = [layer for layer, kind in zip(layers, kinds, strict=True) if kind == "model"]
    if not models and "tensor" in kinds:
        return "is in MLX's format, a file a tensor, which llama.cpp does not read; pull another tag", {}
    if not models:
        return "has no weights on this machine: it runs on a remote host, or is no language model", {}
    if len(models) > 1:
        return f"is in {len(models)} files without names, which llama.cpp cannot join; pull another tag", {}
    if "adapter" in kinds:
        return "has an adapter, which negtemp would leave out; merge it into the weights first", {}
    return _blob_problem(root, models[0]), models[0]


def _layers(manifest: Any, root: Path) -> list[dict[str, Any]] | None:
    """The layers of a manifest, or of the one for GGUF files in a list of them; None where it is malformed."""
    if isinstance(manifest, dict) and manifest.get("mediaType") == _LIST:
        manifest = _for_llama_cpp(manifest.get("manifests"), root)
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        return None
    return layers


def _for_llama_cpp(manifests: Any, root: Path) -> Any:
    """The manifest of a list that other runners than MLX take, which may lie in a blob of its own; else the first."""
    given = [one for one in manifests if isinstance(one, dict)] if isinstance(manifests, list) else []
    chosen = next((one for one in given if one.get("runner") != "mlx"), given[0] if given else {})
    if "layers" not in chosen and _DIGEST.fullmatch(str(chosen.get("digest"))):
        return _read(_blob(root, str(chosen["digest"]))).content
    return chosen


def _blob(root: Path, digest: str) -> Path:
    match = _DIGEST.fullmatch(digest)
    return root / "blobs" / f"sha256-{match[1].lower() if match else 'malformed'}"


def _blob_problem(root: Path, layer: dict[str, Any]) -> str | None:
    digest, size = str(layer.get("digest")), layer.get("size")
    if not _DIGEST.fullmatch(digest):
        return "has a manifest that is not as Ollama writes them; pull it again"
    blob = _blob(root, digest)
    try:
        there = blob.stat().st_size
    except OSError:
        part = " (it has been pulled in part)" if any(blob.parent.glob(f"{blob.name}-partial*")) else ""
        return f"is listed, but its file {printable_path(blob)} is not there{part}; pull it again"
    if isinstance(size, int) and size != there:
        return f"is not whole: {size_text(there)} of {size_text(size)}; pull it again"
    return None


def models() -> Iterator[LocalModel]:
    """Every model by its name and tag; those that cannot be run with what is wrong."""
    for root in folders():
        seen = set()
        for kind in ("manifests-v2", "manifests"):
            for path in sorted((root / kind).glob("*/*/*/*")):
                host, namespace, model, tag = path.parts[-4:]
                name = str(Name("" if host in _PUBLIC else host, namespace, model, tag))
                if name not in seen and path.is_file():
                    seen.add(name)
                    yield _local(name, path, root)


def _local(name: str, path: Path, root: Path) -> LocalModel:
    problem, digest = "", None
    layer: dict[str, Any] = {}
    try:
        manifest = _read(path)
        found, layer = _model_layer(manifest.content, root)
        problem, digest = found or "", manifest.digest
    except ModelError as error:
        problem = str(error)
    size, file = layer.get("size"), _blob(root, str(layer["digest"])) if layer else path
    return LocalModel(
        reference=printable_path(name), source="ollama", size=size if isinstance(size, int) else 0,
        file=printable_path(file), revision=digest, problem=problem or None,
    )  # fmt: skip
