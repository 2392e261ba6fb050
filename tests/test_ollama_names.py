"""ollama: names against Ollama's folder as it lays it out, old and new."""

import json
from pathlib import Path

import caches
import pytest
from caches import MODEL, TENSOR, gguf_head

from negtemp.errors import ModelError, UsageError
from negtemp.model import model_file, references
from negtemp.model.references import ollama

LIST = "application/vnd.ollama.manifest.list.v2+json"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    return tmp_path


def whole(root: Path, size: int = 80) -> dict[str, object]:
    return caches.manifest(
        [
            {"mediaType": MODEL, **caches.ollama_blob(root, gguf_head(size))},
            {"mediaType": "application/vnd.ollama.image.template", **caches.ollama_blob(root, b"{{ .Prompt }}")},
        ]
    )


@pytest.mark.parametrize(
    ("stored", "reference"),
    [
        (("registry.ollama.ai", "library/llama3", "latest"), "ollama:llama3"),
        (("registry.ollama.ai", "library/llama3", "8b-q4_K_M"), "ollama:llama3:8b-q4_K_M"),
        (("registry.ollama.ai", "someone/mine", "latest"), "ollama:someone/mine"),
        (("hf.co", "org/repo-GGUF", "Q8_0"), "ollama:hf.co/org/repo-GGUF:Q8_0"),
        (("localhost:5000", "a/b", "t"), "ollama:localhost:5000/a/b:t"),
    ],
)
def test_a_name_means_the_model_layers_blob(root: Path, stored: tuple[str, str, str], reference: str) -> None:
    host, name, tag = stored
    caches.ollama(root, name, tag, whole(root), host)
    found = model_file.find(reference)
    assert found.path.read_bytes() == gguf_head(80) and found.path.parent == root / "blobs"
    assert found.reference == (reference if tag != "latest" else f"{reference}:latest")
    assert found.revision is not None and len(found.revision) == 64


def test_a_manifest_of_a_newer_version_wins_and_a_dangling_one_does_not(root: Path) -> None:
    caches.ollama(root, "library/m", "latest", whole(root, 80))
    new = caches.ollama_v2(root, "library/m", "latest", whole(root, 90))
    assert model_file.find("ollama:m").path.stat().st_size == 90
    new.unlink()
    new.symlink_to(root / "blobs" / ("sha256-" + "0" * 64))
    assert model_file.find("ollama:m").path.stat().st_size == 80


def test_of_a_list_of_manifests_the_one_that_is_not_for_mlx_is_taken(root: Path) -> None:
    mlx = caches.manifest([{"mediaType": TENSOR, "digest": "sha256:" + "1" * 64, "size": 1}]) | {"runner": "mlx"}
    child = caches.ollama_blob(root, b'{"layers": [%s]}' % _layer(root, 90))
    listed = {"mediaType": LIST, "manifests": [mlx, {"runner": "llamacpp", "digest": child["digest"]}]}
    caches.ollama_v2(root, "library/m", "latest", listed)
    assert model_file.find("ollama:m").path.stat().st_size == 90


def _layer(root: Path, size: int) -> bytes:
    return json.dumps({"mediaType": MODEL, **caches.ollama_blob(root, gguf_head(size))}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "not as Ollama writes them"),
        ('{"layers": [1]}', "not as Ollama writes them"),
        (caches.manifest([]), "remote host"),
        (caches.manifest([{"mediaType": TENSOR, "digest": "sha256:" + "1" * 64, "size": 1}]), "MLX's format"),
        (caches.manifest([{"mediaType": MODEL, "digest": "sha256:../x", "size": 1}]), "not as Ollama writes them"),
        (caches.manifest([{"mediaType": MODEL, "digest": "sha256:" + "1" * 64, "size": 1}]), "is not there"),
        ({"mediaType": LIST, "manifests": [{"runner": "mlx", "layers": [{"mediaType": TENSOR}]}]}, "MLX's format"),
    ],
    ids=["no-json", "list", "layers", "remote", "mlx", "digest", "gone", "mlx-list"],
)
def test_what_cannot_be_run_says_why_in_one_line(root: Path, content: object, said: str) -> None:
    caches.ollama(root, "library/m", "latest", content)
    with pytest.raises(ModelError, match=said) as caught:
        model_file.find("ollama:m")
    assert str(caught.value).isprintable()


def test_a_blob_that_was_pulled_in_part_is_told(root: Path) -> None:
    layer = {"mediaType": MODEL, "digest": "sha256:" + "1" * 64, "size": 100}
    caches.ollama(root, "library/m", "latest", caches.manifest([layer]))
    (root / "blobs").mkdir()
    (root / "blobs" / ("sha256-" + "1" * 64 + "-partial")).write_bytes(bytes(10))
    with pytest.raises(ModelError, match=r"pulled in part"):
        model_file.find("ollama:m")
    (root / "blobs" / ("sha256-" + "1" * 64)).write_bytes(gguf_head(50))
    with pytest.raises(ModelError, match=r"is not whole: 50 bytes of 100 bytes"):
        model_file.find("ollama:m")


def test_an_adapter_is_not_left_out_silently(root: Path) -> None:
    layers = whole(root)["layers"]
    assert isinstance(layers, list)
    adapter = {"mediaType": "application/vnd.ollama.image.adapter", **caches.ollama_blob(root, b"lora")}
    caches.ollama(root, "library/m", "latest", caches.manifest([*layers, adapter]))
    with pytest.raises(ModelError, match=r"has an adapter"):
        model_file.find("ollama:m")


@pytest.mark.parametrize("text", ["", ":x", "m:", "a b", "../m", "a/b/c/d", "m:t/..", "m:..", "a//m", "-m", "m\x1b"])
def test_a_malformed_name_is_refused_in_one_safe_line(root: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"write ollama:name") as caught:
        references.find(f"ollama:{text}")
    assert str(caught.value).isprintable()


def test_what_is_not_there_is_told_with_the_folder(root: Path) -> None:
    with pytest.raises(ModelError, match=r"ollama:none:latest is not in .* `ollama pull none`"):
        references.find("ollama:none")


def test_without_a_folder_of_its_own_the_users_and_the_services_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert list(map(str, ollama.folders())) == ["/home/me/.ollama/models", "/usr/share/ollama/.ollama/models"]
