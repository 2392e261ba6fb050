"""hf: names against the hub's cache as its client lays it out: what they mean, and what each failure says."""

import subprocess
import sys
from pathlib import Path

import caches
import pytest
from caches import COMMIT, OLDER, gguf_head

from negtemp.errors import ModelError, UsageError
from negtemp.model import model_file, references
from negtemp.model.references import hub

REPOSITORY = "org/small-GGUF"
FILES = {
    "small-Q4_K_M.gguf": gguf_head(70), "small-UD-Q4_K_M.gguf": gguf_head(71), "small-Q8_0.gguf": gguf_head(72),
    "mmproj-small-F16.gguf": gguf_head(73), "big/small-F16-00001-of-00002.gguf": gguf_head(74),
    "big/small-F16-00002-of-00002.gguf": gguf_head(75), "README.md": b"#",
}  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def name_of(reference: str) -> str:
    """The file that a name leads to, below its snapshot."""
    return str(model_file.find(reference).path).partition(f"{COMMIT}/")[2]


@pytest.mark.parametrize(
    ("which", "file"),
    [
        (":Q4_K_M", "small-Q4_K_M.gguf"),
        (":q8_0", "small-Q8_0.gguf"),
        (":UD-Q4_K_M", "small-UD-Q4_K_M.gguf"),
        (":small-Q8_0.gguf", "small-Q8_0.gguf"),
        (":F16", "big/small-F16-00001-of-00002.gguf"),
        (":big/small-F16-00002-of-00002.gguf", "big/small-F16-00001-of-00002.gguf"),
        (":small-F16-00001-of-00002.gguf", "big/small-F16-00001-of-00002.gguf"),
        (":mmproj-small-F16.gguf", "mmproj-small-F16.gguf"),
        (":Q8_0@main", "small-Q8_0.gguf"),
        (f":Q8_0@{COMMIT[:10]}", "small-Q8_0.gguf"),
    ],
)
def test_a_name_means_one_file(cache: Path, which: str, file: str) -> None:
    caches.hub(cache, REPOSITORY, FILES)
    assert name_of(f"hf:{REPOSITORY}{which}") == file


def test_a_repository_of_one_model_needs_no_more_than_its_name(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head(), "mmproj.gguf": gguf_head()})
    found = model_file.find(f"hf:{REPOSITORY}")
    assert (found.path.name, found.reference, found.revision) == ("only.gguf", f"hf:{REPOSITORY}", COMMIT)


def test_several_models_are_listed_with_their_sizes(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, FILES)
    with pytest.raises(ModelError) as caught:
        references.find(f"hf:{REPOSITORY}")
    said = str(caught.value)
    assert "holds 4 models" in said and "small-Q8_0.gguf (72 bytes)" in said
    assert "small-F16-00001-of-00002.gguf (149 bytes)" in said and "mmproj" not in said
    assert "such as hf:org/small-GGUF:F16" in said


@pytest.mark.parametrize(
    "text",
    [
        "", "org", "org/", "/repo", "a/b/c", "org/re po", "org/..", "org/-x", "org/x.", "o" * 97 + "/x", "org/x:",
        "org/x:../y.gguf", "org/x:/y.gguf", "org/x:Q4/", "org/x@", "org/x@../y", "org/x@/y", "org/x:Q4@a@b",
        "org/\x1b[31m", "org/x:\0.gguf", "org/\udcff",
    ],
)  # fmt: skip
def test_a_malformed_name_is_refused_in_one_safe_line(cache: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"write hf:org/repo") as caught:
        references.find(f"hf:{text}")
    assert str(caught.value).isprintable()


def test_what_was_never_fetched_is_told_with_the_command_that_fetches_it(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"negtemp pull hf:org/small-GGUF:Q8_0"):
        references.find(f"hf:{REPOSITORY}:Q8_0")


def test_another_file_of_the_repository_is_named_where_the_one_meant_is_missing(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"small-Q8_0.gguf": gguf_head(72)})
    with pytest.raises(ModelError, match=r"which has small-Q8_0.gguf \(72 bytes\) of it"):
        references.find(f"hf:{REPOSITORY}:Q4_K_M")


def test_a_revision_that_is_not_there_is_told_with_those_that_are(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head()})
    for revision in ("v2", "c" * 40, "aaa"):
        with pytest.raises(ModelError, match=rf"no revision {revision} .* there is aaaaaaaa, main"):
            references.find(f"hf:{REPOSITORY}@{revision}")


def test_a_revision_may_be_a_branch_with_slashes(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head()}, revision="refs/pr/1")
    assert references.find(f"hf:{REPOSITORY}@refs/pr/1").revision == COMMIT


def test_without_main_the_only_revision_is_meant_and_of_several_one_must_be_named(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head()}, revision=None)
    assert references.find(f"hf:{REPOSITORY}").revision == COMMIT
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head(99)}, commit=OLDER, revision=None)
    with pytest.raises(ModelError, match=r"name one of @aaaaaaaa, @bbbbbbbb"):
        references.find(f"hf:{REPOSITORY}")


def test_a_link_to_a_blob_that_is_gone_is_told(cache: Path) -> None:
    base = caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head()})
    next((base / "blobs").iterdir()).unlink()
    with pytest.raises(ModelError, match=r"what only.gguf links to is gone"):
        references.find(f"hf:{REPOSITORY}")


def test_a_download_that_was_cut_off_is_told(cache: Path) -> None:
    base = caches.hub(cache, REPOSITORY, {"README.md": b"#"})
    (base / "blobs" / ("d" * 64 + ".1f2e.incomplete")).write_bytes(bytes(1500))
    with pytest.raises(ModelError, match=r"in part only \(1.5 kB\); fetch it with `negtemp pull"):
        references.find(f"hf:{REPOSITORY}")


def test_a_split_model_must_be_whole(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"x-00002-of-00003.gguf": gguf_head(), "x-00003-of-00003.gguf": gguf_head(65)})
    with pytest.raises(ModelError, match=r"has 2 of its 3 files; x-00001-of-00003.gguf is missing"):
        references.find(f"hf:{REPOSITORY}")


def test_a_cache_that_may_only_be_read_is_read(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, {"only.gguf": gguf_head()})
    for path in sorted(cache.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert name_of(f"hf:{REPOSITORY}") == "only.gguf"
    finally:
        for path in cache.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "~/b"}, "/home/me/b/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({}, "/home/me/.cache/huggingface/hub"),
        ({"HF_HOME": ""}, "/home/me/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_its_client_keeps_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub.cache() == Path(folder)


def test_llama_cpps_own_folder_in_the_hubs_layout_is_read_too(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "llama"))
    caches.hub(tmp_path / "llama", REPOSITORY, {"only.gguf": gguf_head()})
    assert name_of(f"hf:{REPOSITORY}") == "only.gguf"


def test_no_client_is_needed_to_find_a_model(cache: Path) -> None:
    caches.hub(cache, REPOSITORY, FILES)
    code = (
        "import sys; from negtemp.model import model_file; model_file.find(sys.argv[1]); "
        "heavy = {'huggingface_hub', 'numpy', 'llama_cpp'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, f"hf:{REPOSITORY}:Q8_0"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
