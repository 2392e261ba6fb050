"""`negtemp pull` with the hub's own client against a hub on loopback: whole, cut off, refused, twice at once."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from caches import gguf_head
from loopback_hub import COMMIT, Hub, serving
from test_cli import NEGTEMP, call

from negtemp.model import model_file
from negtemp.records import LocalModel, from_line

pytest.importorskip("huggingface_hub")

FILES = {
    "m-Q4_0.gguf": gguf_head(300_000), "m-Q8_0.gguf": gguf_head(5000), "README.md": b"#",
    "big-F16-00001-of-00002.gguf": gguf_head(2000), "big-F16-00002-of-00002.gguf": gguf_head(3000, split=True),
}  # fmt: skip
NAME = "hf:org/repo:Q4_0"

Pull = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub(FILES)) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def environment(hub: Hub, cache: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "120",
        "HF_HUB_DOWNLOAD_TIMEOUT": "120",
    }


@pytest.fixture
def pull(environment: dict[str, str]) -> Pull:
    return lambda *arguments, **changed: call("pull", *arguments, environment=environment | changed)


def test_what_was_pulled_is_found_by_its_name(pull: Pull, cache: Path) -> None:
    done = pull(NAME)
    assert done.returncode == 0, done.stderr
    found = model_file.find(NAME)
    assert done.stdout == f"{found.path}\n" and found.revision == COMMIT
    assert found.path.read_bytes() == FILES["m-Q4_0.gguf"] and found.path.is_symlink()
    assert not list(cache.rglob("*.incomplete"))


def test_a_split_model_is_pulled_whole_by_any_of_its_parts(pull: Pull, cache: Path) -> None:
    assert pull("hf:org/repo:big-F16-00002-of-00002.gguf").returncode == 0
    found = model_file.find("hf:org/repo:F16")
    assert sorted(path.name for path in found.path.parent.iterdir()) == [
        name for name in sorted(FILES) if "F16" in name
    ]


def test_a_dry_run_tells_the_size_and_fetches_nothing(pull: Pull, hub: Hub, cache: Path) -> None:
    done = pull(NAME, "--dry-run", "--json")
    assert (done.returncode, hub.ranges, cache.exists()) == (0, [], False)
    record = from_line(done.stdout)
    assert isinstance(record, LocalModel) and (record.size, record.revision) == (300_000, COMMIT)
    assert "would fetch 300.0 kB" in done.stderr


def test_several_models_are_listed_with_their_sizes(pull: Pull) -> None:
    done = pull("hf:org/repo")
    assert done.returncode == 1
    assert "holds 3 models" in done.stderr and "m-Q8_0.gguf (5.0 kB)" in done.stderr


def test_one_that_is_here_is_not_fetched_again(pull: Pull, hub: Hub) -> None:
    assert pull(NAME).returncode == pull(NAME).returncode == 0
    assert hub.ranges == [""]


def test_a_killed_pull_goes_on_where_it_was(hub: Hub, cache: Path, environment: dict[str, str], pull: Pull) -> None:
    hub.files = {"m-Q4_0.gguf": gguf_head(20_000_000)}
    hub.held = threading.Event()
    with subprocess.Popen(
        [NEGTEMP, "pull", NAME], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        assert hub.started.acquire(timeout=120)
        while not (begun := [path for path in cache.rglob("*.incomplete") if path.stat().st_size]):
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
    size = begun[0].stat().st_size  # what was written up to the end of the process
    hub.held.set()
    assert 0 < size < 20_000_000
    done = pull(NAME)
    assert done.returncode == 0, done.stderr
    assert "of it here" in done.stderr and hub.ranges == ["", f"bytes={size}-"]
    assert model_file.find(NAME).path.read_bytes() == gguf_head(20_000_000)


def test_two_processes_fetch_one_file_once(hub: Hub, environment: dict[str, str]) -> None:
    hub.held = threading.Event()
    both = [
        subprocess.Popen(
            [NEGTEMP, "pull", NAME], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    assert hub.started.acquire(timeout=120)
    hub.held.set()
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert hub.ranges == [""]
    assert model_file.find(NAME).path.read_bytes() == FILES["m-Q4_0.gguf"]


def test_what_is_not_what_was_announced_is_dropped(pull: Pull, hub: Hub, cache: Path) -> None:
    hub.corrupt = True
    done = pull(NAME)
    assert done.returncode == 1 and "is not what the hub announced" in done.stderr
    assert not list(cache.rglob("*.incomplete")) and not list(cache.rglob("*.gguf"))


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        ((401, "GatedRepo"), "is gated: accept its terms"),
        ((403, "GatedRepo"), "is gated: accept its terms"),
        ((401, ""), "is private or gated, or is not there"),
        ((404, "RepoNotFound"), "no such repository"),
        ((500, ""), "the hub answered 500"),
    ],
)
def test_a_refusal_is_one_line(pull: Pull, hub: Hub, refuse: tuple[int, str], said: str) -> None:
    hub.refuse = refuse
    done = pull(NAME)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("reference", "status", "said"),
    [
        ("hf:org/repo:Q4_0@v9", 1, "has no revision v9"),
        ("hf:org/repo:Q6_K", 1, "is not on the hub: it has"),
        ("hf:org/other", 1, "no such repository"),
        ("hf:org", 2, "is no org/repo"),
        ("ollama:x", 2, "is no model of the hub"),
        ("x.gguf", 2, "is no model of the hub"),
    ],
)
def test_what_cannot_be_meant_is_one_line(pull: Pull, reference: str, status: int, said: str) -> None:
    done = pull(reference)
    assert done.returncode == status and said in done.stderr and done.stderr.count("\n") == 1


def test_no_network_is_one_line(pull: Pull) -> None:
    done = pull(NAME, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1 and "cannot be reached" in done.stderr and done.stderr.count("\n") == 1
    done = pull(NAME, HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and "HF_HUB_OFFLINE" in done.stderr and done.stderr.count("\n") == 1


def test_a_cache_that_cannot_be_written_is_one_line(pull: Pull, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = pull(NAME, HF_HUB_CACHE=str(tmp_path / "file"))
    assert done.returncode == 1 and "set HF_HUB_CACHE to a folder of yours" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("negtemp: cannot write")


def test_without_the_client_the_extra_is_named(pull: Pull, tmp_path: Path) -> None:
    (tmp_path / "huggingface_hub.py").write_text("raise ImportError('none')\n")
    done = pull(NAME, PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 1 and "pip install 'negtemp[hub]'" in done.stderr
