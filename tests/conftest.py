"""Real parts for every test: the compiled library, the bundled model, a random model over a hostile vocabulary."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from models import spm_vocabulary, write_llama
from serving import ONE_THREAD, require_server

from negtemp.model import library, model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.server import Address, Server

if TYPE_CHECKING:
    from selenium import webdriver

# neither a busy machine nor a folder that cannot be written is a failure
hypothesis.settings.register_profile(
    "untimed", deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

# what T < 0 shows as a matter of course; each breaks some naive display
HOSTILE = (
    b"\x1b[31mred", b"\x1b]0;title\x07", b"\x07\x08\x0b\x0c", "\u202eoverride".encode(), "\u2066isolate\u2069".encode(),
    "zero\u200bwidth".encode(), "\u200djoin".encode(), "\u0301mark".encode(), b"[red]markup[/red]", b"[/bold]",
    b":smile:", b"</script><script>alert(1)</script>", "עברית".encode(), "العربية".encode(), "\U000e0041tag".encode(),
    "\u3164filler".encode(), "\u009bC1".encode(), b"back\\slash", b"tab\tnew\nline\rreturn", "\ufeffbom".encode(),
    b"x" * 200, "␠".encode(), "◌".encode(), "日本語".encode(), "\ue000private".encode(), b"cut\x00here", b"\x7fdel",
)  # fmt: skip


# what a shell may export and our programs, rich, llama.cpp's, openai's or the hub's client obey
_OBEYED = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "PYTHONIOENCODING")
_OBEYED_PREFIXES = ("LLAMA_", "OPENAI_", "HF_", "HUGGINGFACE_", "OLLAMA_")


def pytest_configure() -> None:
    """Of several processes side by side each computes with its share of the cores, and so does what it starts."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for the tests and the programs that they start, wherever they run: a cache folder of their own, nothing
    that a shell exports, and signals that count, which a job in the background or under nohup would ignore.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # ours ignores it still; programs start with the system's own
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for name in list(os.environ):
            if name in _OBEYED or name.startswith(_OBEYED_PREFIXES):
                environment.delenv(name)
        yield
    # llama_cpp leaves two files open to the end, where a warning is an error still
    if "llama_cpp._utils" in sys.modules:
        for file in (sys.modules["llama_cpp._utils"].outnull_file, sys.modules["llama_cpp._utils"].errnull_file):
            file.close()


@pytest.fixture(scope="session")
def compiled() -> Library:
    """The compiled library, proved."""
    return library.load()


@pytest.fixture(scope="session")
def bundled(compiled: Library) -> Iterator[Model]:
    """The model that ships."""
    with Model(compiled, model_file.bundled()) as model:
        yield model


@pytest.fixture(scope="session")
def engine(bundled: Model) -> Engine:
    """An engine on the model that ships."""
    return Engine(bundled)


@pytest.fixture(scope="session")
def random_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of random weights and a long context, over pairs of letters."""
    pairs = [b" " + bytes([97 + i, 97 + j]) for i in range(6) for j in range(6)]
    folder = tmp_path_factory.mktemp("models")
    return write_llama(folder / "random.gguf", spm_vocabulary(pairs), context=100_000)


@pytest.fixture(scope="session")
def hostile_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights whose vocabulary is full of control characters, overrides and markup."""
    return write_llama(tmp_path_factory.mktemp("models") / "hostile.gguf", spm_vocabulary(HOSTILE))


@pytest.fixture(scope="session")
def hostile(compiled: Library, hostile_path: Path) -> Iterator[Model]:
    """The hostile model, loaded."""
    with Model(compiled, hostile_path) as model:
        yield model


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The patched llama-server on the bundled model."""
    require_server()
    # the bundled model knows no roles: after a real template its least likely tokens lie within rounding of each other
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    options = ["--parallel", "8", "--ctx-size", "4096", "--slots", "--jinja", "--chat-template", template, *ONE_THREAD]
    with Server(model_file.bundled(), Address(port=0), options) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="session")
def _started_chromium(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[webdriver.Chrome]":
    pytest.importorskip("selenium")
    import browser

    with browser.started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def chromium(_started_chromium: "webdriver.Chrome") -> "webdriver.Chrome":
    """A real browser with one empty tab of 1280 by 900 pixels, light, its logs empty (`tests/browser.py`)."""
    import browser

    return browser.emptied(_started_chromium)
