"""The compiled library is proved, and what is not ours is refused with the command that fixes it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negtemp.errors import EngineMissingError, UnpatchedLibraryError
from negtemp.model import library, processor
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


CPUINFO = "processor : 0\nflags\t\t: fpu sse4_2 avx2 avx512_vnni\n\nprocessor : 1\nflags\t\t: fpu sse4_2 avx2\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [(CPUINFO, ["avx512bf16", "bmi2"]), ("Features : asimd sve\n", []), (None, [])],
    ids=["x86", "arm", "no such file"],
)
def test_a_processor_lacks_what_linux_does_not_name(tmp_path: Path, cpuinfo: str | None, expected: list[str]) -> None:
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    built = ["avx512vnni", "bmi2", "avx512bf16", "sse42"]
    assert processor.missing(built, tmp_path / "cpuinfo") == expected


def test_the_installed_library_needs_nothing_that_this_processor_lacks(compiled: Library) -> None:
    assert processor.missing(compiled.build["instructions"]) == []


@pytest.mark.skipif(not processor.missing(["avx1024"]), reason="this system does not tell what its processor has")
def test_a_library_for_another_processor_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end in an illegal instruction."""
    monkeypatch.setattr(library, "_manifest", lambda _: {"instructions": ["avx1024", "sse2"]})
    monkeypatch.setattr(library, "load_unproved", library.load_unproved.__wrapped__)
    with pytest.raises(EngineMissingError, match=r"with avx1024, which this one lacks.*negtemp build.*--portable"):
        library.load()


def test_the_log_is_silent_and_remembered(compiled: Library, tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    compiled.log.clear()
    compiled.api.llama_model_load_from_file(str(path).encode(), compiled.api.llama_model_default_params())
    assert capfd.readouterr() == ("", "")
    assert compiled.log
