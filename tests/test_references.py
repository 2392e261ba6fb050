"""Models by name elsewhere: LM Studio's folder, llama.cpp's old cache, folders, split files, addresses; the list."""

import hashlib
import json
import shutil
from pathlib import Path

import caches
import pytest
from caches import MODEL, gguf_head
from models import spm_vocabulary, write_llama
from test_cli import call

from negtemp.errors import ModelError, UsageError
from negtemp.model import model_file, references
from negtemp.records import LocalModel, from_line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path


def write(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data or gguf_head())
    return path


@pytest.mark.parametrize("base", [".lmstudio", ".cache/lm-studio", "elsewhere"])
def test_lm_studios_folder_is_found_where_it_is(home: Path, base: str) -> None:
    if base == "elsewhere":
        (home / ".lmstudio-home-pointer").write_text(f"{home / base}\n")
    path = write(home / base / "models" / "org" / "repo-GGUF" / "m-Q4_0.gguf")
    for reference in ("org/repo-GGUF", "org/repo-GGUF/m-Q4_0.gguf", "org/repo-GGUF/m-Q4_0"):
        assert model_file.find(f"lmstudio:{reference}").path == path


def test_several_of_lm_studios_are_listed(home: Path) -> None:
    for quant in ("Q4_0", "Q8_0"):
        write(home / ".lmstudio/models/org/repo" / f"m-{quant}.gguf")
    with pytest.raises(ModelError, match=r"holds 2 models: .* such as lmstudio:org/repo/m-Q4_0.gguf"):
        references.find("lmstudio:org/repo")
    with pytest.raises(ModelError, match=r"is not there; the folder holds m-Q4_0.gguf"):
        references.find("lmstudio:org/repo/other.gguf")
    with pytest.raises(ModelError, match=r"is not in .*lmstudio"):
        references.find("lmstudio:org/none")


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d", "../x", "a/..", "a//b", "a/b/", "a/\0"])
def test_a_malformed_name_of_lm_studios_is_refused(home: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"write lmstudio:"):
        references.find(f"lmstudio:{text}")


def test_what_llama_cpp_once_fetched_is_found_by_file_and_by_repository(home: Path) -> None:
    path = write(home / ".cache/llama.cpp/org_repo-GGUF_m-Q4_0.gguf")
    write(home / ".cache/llama.cpp/manifest=org=repo-GGUF=latest.json", b"{}")
    for reference in ("llama.cpp:org_repo-GGUF_m-Q4_0.gguf", "hf:org/repo-GGUF", "hf:org/repo-GGUF:m-Q4_0.gguf"):
        assert model_file.find(reference).path == path


def test_what_llama_cpp_did_not_finish_is_told(home: Path) -> None:
    write(home / ".cache/llama.cpp/m.gguf.downloadInProgress", bytes(2000))
    with pytest.raises(ModelError, match=r"in part only \(2.0 kB\)"):
        references.find("llama.cpp:m.gguf")
    for text in ("", "m", "../m.gguf", "/m.gguf"):
        with pytest.raises(UsageError, match=r"write llama.cpp:file.gguf"):
            references.find(f"llama.cpp:{text}")


def test_a_folder_with_one_model_is_that_model(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf")
    write(tmp_path / "mmproj-m.gguf")
    write(tmp_path / "deeper" / "other.gguf")
    assert model_file.find(tmp_path).path == path
    write(tmp_path / "n.gguf")
    with pytest.raises(ModelError, match=r"holds 2 models: m.gguf .64 bytes., n.gguf"):
        model_file.find(tmp_path)
    with pytest.raises(ModelError, match=r"without a .gguf file"):
        model_file.find(write(tmp_path / "empty" / "x.txt").parent)


def test_any_part_of_a_split_model_means_its_first(tmp_path: Path) -> None:
    first = write(tmp_path / "m-00001-of-00002.gguf")
    second = write(tmp_path / "m-00002-of-00002.gguf", gguf_head(split=True))
    assert model_file.find(second).path == first
    assert model_file.find(tmp_path).path == first
    second.write_bytes(gguf_head())  # a whole model that is only named like a part
    assert model_file.find(second).path == second


def test_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "blob")
    (tmp_path / "m.gguf").symlink_to("blob")
    (tmp_path / "loop.gguf").symlink_to("loop.gguf")
    assert model_file.find(tmp_path / "m.gguf").path == tmp_path / "m.gguf"
    with pytest.raises(ModelError, match=r"loop.gguf"):
        model_file.find(tmp_path / "loop.gguf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://127.0.0.1:8080", "gives no logits of the whole vocabulary"),
        ("https://huggingface.co/org/repo/tree/main", "is hf:org/repo"),
        ("https://hf.co/org/repo", "is hf:org/repo"),
    ],
)
def test_an_address_is_refused_with_what_to_give_instead(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        references.find(text)


def test_a_repository_without_its_scheme_is_recognised() -> None:
    with pytest.raises(ModelError, match=r"a model of the hub is hf:org/repo-GGUF"):
        references.find("org/repo-GGUF")


def test_a_path_that_looks_like_a_name_is_one_with_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "hf:org")
    assert model_file.find("./hf:org").path == Path("hf:org")


def test_every_place_is_listed_and_what_is_wrong_is_said(home: Path) -> None:
    caches.hub(home / ".cache/huggingface/hub", "org/a", {"a-Q4_0.gguf": gguf_head(), "a-Q8_0.gguf": gguf_head(90)})
    broken = caches.hub(home / ".cache/huggingface/hub", "org/b", {"b.gguf": gguf_head(91)})
    next((broken / "blobs").iterdir()).unlink()
    write(home / ".cache/llama.cpp/old.gguf")
    write(home / ".lmstudio/models/org/c/c-00001-of-00002.gguf")
    layer = {"mediaType": MODEL, **caches.ollama_blob(home / ".ollama/models", gguf_head())}
    caches.ollama(home / ".ollama/models", "library/d", "latest", caches.manifest([layer]))
    done = call("models", "--json")
    assert done.returncode == 0 and done.stderr == ""
    found = {
        model.reference: model for model in map(from_line, done.stdout.splitlines()) if isinstance(model, LocalModel)
    }
    assert list(found) == [
        "hf:org/a:Q4_0", "hf:org/a:Q8_0", "hf:org/b", "llama.cpp:old.gguf", "lmstudio:org/c/c-00001-of-00002.gguf",
        "ollama:d:latest",
    ]  # fmt: skip
    assert found["hf:org/a:Q8_0"].size == 90
    wrong = {name: model.problem for name, model in found.items() if model.problem}
    assert set(wrong) == {"hf:org/b", "lmstudio:org/c/c-00001-of-00002.gguf"}
    for name in set(found) - set(wrong):
        assert str(model_file.find(name).path) == found[name].file


def test_the_list_is_one_line_a_model_in_a_pipe_and_nothing_is_no_failure(home: Path) -> None:
    done = call("models")
    assert (done.returncode, done.stdout) == (0, "") and "negtemp pull" in done.stderr
    caches.hub(home / ".cache/huggingface/hub", "org/a", {"a.gguf": gguf_head(1_500_000)})
    lines = call("models").stdout.splitlines()
    assert len(lines) == 2 and lines[1].split() == ["hf:org/a", "1.5", "MB"]


def test_a_run_records_how_its_model_was_named(home: Path) -> None:
    data = model_file.bundled().read_bytes()
    caches.hub(home / ".cache/huggingface/hub", "org/tiny", {"tiny.gguf": data})
    done = call("run", "-m", "hf:org/tiny", "-n", "1", "--json", "--threads", "1")
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout.splitlines()[0])["model"]
    assert (model["reference"], model["revision"]) == ("hf:org/tiny", caches.COMMIT)
    assert model["file"].endswith(f"snapshots/{caches.COMMIT}/tiny.gguf")
    assert model["fingerprint"] == hashlib.sha256(data).hexdigest()


def test_a_sweep_does_not_go_on_with_other_bytes_of_the_same_name(home: Path, tmp_path: Path) -> None:
    root = home / ".cache/huggingface/hub"
    arguments = ["sweep", "-m", "hf:org/tiny", "-n", "1", "--betas=1", "-o", str(tmp_path / "run"), "--threads", "1"]
    caches.hub(root, "org/tiny", {"tiny.gguf": model_file.bundled().read_bytes()})
    assert call(*arguments).returncode == 0
    shutil.rmtree(root)
    other = write_llama(tmp_path / "other.gguf", spm_vocabulary([b"a", b"b"]))
    caches.hub(root, "org/tiny", {"tiny.gguf": other.read_bytes()})
    done = call(*arguments)
    assert done.returncode == 2 and "is a run of other settings: model: " in done.stderr
