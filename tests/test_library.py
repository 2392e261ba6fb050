"""The compiled library is proved, and what is not ours is refused with the command that fixes it."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from negtemp.errors import EngineMissingError, UnpatchedLibraryError
from negtemp.model import library
from negtemp.model.library import Library


def test_the_installed_library_passes_its_self_test(compiled: Library) -> None:
    assert library.self_test(compiled) is None


def test_the_build_says_which_patches_it_holds(compiled: Library) -> None:
    assert compiled.patches
    assert "+negtemp" in compiled.version


def test_the_cpu_is_a_backend_and_a_device(compiled: Library) -> None:
    assert "CPU" in library.backends(compiled)
    assert any("CPU" in device.name for device in library.devices(compiled))


def stock(logits: np.ndarray) -> np.ndarray:
    """What stock llama.cpp leaves at T <= 0: the greatest logit alone."""
    out = np.full_like(logits, -np.inf)
    out[logits.argmax()] = logits.max()
    return out


def naive(logits: np.ndarray) -> np.ndarray:
    """What the one-line patch leaves at T = -1: a plain division, which turns a mask into +inf."""
    return logits / np.float32(-1.0)


@pytest.mark.parametrize("behave", [stock, naive, lambda logits: logits], ids=["stock", "naive", "no-op"])
def test_a_library_that_is_not_ours_fails_the_self_test(
    compiled: Library, monkeypatch: pytest.MonkeyPatch, behave: Callable[[np.ndarray], np.ndarray]
) -> None:
    def left(_: Library, samplers: list[Any], logits: np.ndarray) -> np.ndarray:
        compiled.api.llama_sampler_free(samplers[0])
        kept = np.zeros(len(logits), library.TOKEN_DATA)
        kept["logit"] = behave(logits)
        return kept

    monkeypatch.setattr(library, "apply", left)
    assert library.self_test(compiled)
    with pytest.raises(UnpatchedLibraryError, match="negtemp build"):
        library.load()


def test_a_missing_library_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    monkeypatch.setattr(library, "load_unproved", library.load_unproved.__wrapped__)
    with pytest.raises(EngineMissingError, match="negtemp build"):
        library.load()


def test_the_log_is_silent_and_remembered(compiled: Library, tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    compiled.log.clear()
    compiled.api.llama_model_load_from_file(str(path).encode(), compiled.api.llama_model_default_params())
    assert capfd.readouterr() == ("", "")
    assert compiled.log
