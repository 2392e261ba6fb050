"""Real parts for every test: the compiled library, the bundled model, a random model over a hostile vocabulary."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from models import spm_vocabulary, write_llama

from negtemp.model import library, source
from negtemp.model.engine import Engine
from negtemp.model.library import Library
from negtemp.model.loaded import Model

# a busy machine is no failure
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# what T < 0 shows as a matter of course; each breaks some naive display
HOSTILE = (
    b"\x1b[31mred", b"\x1b]0;title\x07", b"\x07\x08\x0b\x0c", "\u202eoverride".encode(), "\u2066isolate\u2069".encode(),
    "zero\u200bwidth".encode(), "\u200djoin".encode(), "\u0301mark".encode(), b"[red]markup[/red]", b"[/bold]",
    b":smile:", b"</script><script>alert(1)</script>", "עברית".encode(), "العربية".encode(), "\U000e0041tag".encode(),
    "\u3164filler".encode(), "\u009bC1".encode(), b"back\\slash", b"tab\tnew\nline\rreturn", "\ufeffbom".encode(),
    b"x" * 200, "␠".encode(), "◌".encode(), "日本語".encode(), "\ue000private".encode(), b"cut\x00here", b"\x7fdel",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of the tests' own, for them and for the programs that they start."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def compiled() -> Library:
    """The compiled library, proved."""
    return library.load()


@pytest.fixture(scope="session")
def bundled(compiled: Library) -> Iterator[Model]:
    """The model that ships."""
    with Model(compiled, source.bundled()) as model:
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
