"""The compiled llama.cpp: load it, prove it, silence it. The only module that imports llama_cpp.

A stock build takes a negative temperature without a word and returns the most likely token, so no library is used
before `self_test` has seen it invert four logits, one of them masked. llama.cpp's own log goes to a short memory whose
last errors are quoted when loading fails. It leaves out models and contexts.

`Library.api` is the ctypes module `llama_cpp.llama_cpp`, whose functions carry the names of `llama.h`.
"""

import ctypes
import functools
import importlib.util
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negtemp.errors import EngineMissingError, UnpatchedLibraryError
from negtemp.model import processor
from negtemp.printable import printable, printable_text

FIX = "build it with: negtemp build"

# struct llama_token_data
TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

_MANIFEST = "negtemp_build.json"
_LOG_ERROR, _LOG_CONTINUES = 4, 5
_LOG_LINES = 32


@dataclass(frozen=True)
class Library:
    """The loaded library and what is known of its build."""

    api: Any
    ggml: Any
    version: str
    build: dict[str, Any]
    log: deque[str] = field(repr=False)

    @property
    def patches(self) -> list[str]:
        """File names of the patches that the build applied, by its own manifest; empty for a stock build."""
        return list(self.build.get("patches", []))

    def last_errors(self, limit: int = 2) -> str:
        """llama.cpp's last error lines as one printable line, less those that only say that it failed."""
        reasons = [line for line in self.log if "failed to load model" not in line]
        return "; ".join((reasons or list(self.log))[-limit:]) or "no reason given"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that ggml can compute on, as its backend describes it."""

    name: str
    description: str


def load() -> Library:
    """The library, proved. Raises EngineMissingError or UnpatchedLibraryError, with the command that fixes it."""
    library = load_unproved()
    problem = self_test(library)
    if problem:
        raise UnpatchedLibraryError(f"llama-cpp-python {library.version} does not sample below zero: {problem}; {FIX}")
    return library


@functools.cache
def load_unproved() -> Library:
    """The library as it is installed, silent and initialised, proved or not. Raises EngineMissingError."""
    _refuse_another_processor()
    try:
        import llama_cpp
    except ImportError as error:
        raise EngineMissingError(f"llama-cpp-python is not installed ({error}); {FIX}") from error
    except (OSError, RuntimeError) as error:
        reason = printable_text(str(error), keep=" ")
        raise EngineMissingError(f"llama-cpp-python does not load ({reason}); {FIX}") from error
    log: deque[str] = deque(maxlen=_LOG_LINES)
    _silence(llama_cpp.llama_cpp, log)
    llama_cpp.llama_cpp.llama_backend_init()
    # ggml's functions through libllama, whose registry it is: the bindings' own handle may be a second copy of libggml
    api = llama_cpp.llama_cpp
    return Library(api, api._lib, llama_cpp.__version__, _manifest(llama_cpp.__file__), log)


def _refuse_another_processor() -> None:
    """Before anything of the library is run. Raises EngineMissingError where it would end in an illegal instruction."""
    package = importlib.util.find_spec("llama_cpp")
    built = _manifest(package.origin) if package and package.origin else {}
    lacking = processor.missing(built.get("instructions", ()))
    if lacking:
        raise EngineMissingError(
            f"llama-cpp-python was compiled for a processor with {', '.join(lacking)}, which this one lacks; {FIX} "
            "(with --portable it runs on every processor)"
        )


def _silence(api: Any, log: deque[str]) -> None:
    """Keep error lines in `log` and drop the rest; the callback must outlive every call, so the module holds it."""

    def keep(level: int, text: bytes, _: object) -> None:
        line = text.strip()
        if line and level in (_LOG_ERROR, _LOG_CONTINUES):
            log.append(printable(line, keep=" "))

    _callbacks["log"] = api.llama_log_callback(keep)
    api.llama_log_set(_callbacks["log"], ctypes.c_void_p(0))


_callbacks: dict[str, Any] = {}


def on_abort(handler: Callable[[str], None]) -> None:
    """Call `handler` with ggml's reason where a failed assertion is about to end the process."""
    library = load_unproved()
    signature = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
    _callbacks["abort"] = signature(lambda reason: handler(printable(reason, keep=" ")))
    library.ggml.ggml_set_abort_callback(_callbacks["abort"])


def _manifest(package_file: str) -> dict[str, Any]:
    """What the build script wrote into the wheel; empty for a stock one."""
    try:
        manifest = json.loads(Path(package_file).with_name(_MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def format_chat(template: str, messages: Any, bos: str, eos: str) -> str:
    """What a Jinja chat template writes for messages, by the bindings' formatter. Raises whatever the template does."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    return str(Jinja2ChatFormatter(template, eos, bos)(messages=messages).prompt)


def self_test(library: Library) -> str | None:
    """None where the temperature sampler inverts four logits at T = -1 and leaves a mask a mask; else what it did.

    Stock builds keep only the most likely token; the naive one-line patch turns the mask into +inf.
    """
    logits = np.array([3.0, 1.0, -np.inf, 2.0], dtype=np.float32)
    got = apply(library, [library.api.llama_sampler_init_temp(-1.0)], logits)["logit"]
    finite = np.isfinite(logits)
    if got[2] != -np.inf:
        return "a masked token does not stay masked at T=-1"
    if not np.isfinite(got[finite]).all() or np.ptp(got[finite] + logits[finite]) > 1e-6:
        return "it returns the most likely token at T=-1, as stock builds do"
    return None


def apply(library: Library, samplers: Sequence[Any], logits: NDArray[np.float32]) -> NDArray[np.void]:
    """What a chain of samplers leaves of logits `[vocab]`, as TOKEN_DATA `[kept]`; the chain is freed."""
    api = library.api
    data = np.zeros(len(logits), TOKEN_DATA)
    data["id"], data["logit"] = np.arange(len(logits)), logits
    array = token_data_array(api, data)
    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    for sampler in samplers:
        api.llama_sampler_chain_add(chain, sampler)
    api.llama_sampler_apply(chain, ctypes.byref(array))
    api.llama_sampler_free(chain)
    return data[: array.size]


def token_data_array(api: Any, data: NDArray[np.void]) -> Any:
    """The C struct over TOKEN_DATA `[vocab]`, sharing its memory."""
    pointer = ctypes.cast(data.ctypes.data, ctypes.POINTER(api.llama_token_data))
    return api.llama_token_data_array(data=pointer, size=len(data), selected=-1, sorted=False)


def devices(library: Library) -> list[Device]:
    """Every device that the compiled-in backends see; the CPU is one of them."""
    ggml = library.ggml
    ggml.ggml_backend_dev_get.argtypes, ggml.ggml_backend_dev_get.restype = [ctypes.c_size_t], ctypes.c_void_p
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    for function in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    handles = [ggml.ggml_backend_dev_get(index) for index in range(ggml.ggml_backend_dev_count())]
    return [
        Device(
            *(printable(f(handle), keep=" ") for f in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description))
        )
        for handle in handles
    ]


def backends(library: Library) -> list[str]:
    """Names of the backends compiled in, as ggml registers them: CPU, CUDA, Metal, Vulkan, ROCm."""
    ggml = library.ggml
    ggml.ggml_backend_reg_get.argtypes, ggml.ggml_backend_reg_get.restype = [ctypes.c_size_t], ctypes.c_void_p
    ggml.ggml_backend_reg_name.argtypes, ggml.ggml_backend_reg_name.restype = [ctypes.c_void_p], ctypes.c_char_p
    ggml.ggml_backend_reg_count.restype = ctypes.c_size_t
    return [
        ggml.ggml_backend_reg_name(ggml.ggml_backend_reg_get(index)).decode("ascii", "replace")
        for index in range(ggml.ggml_backend_reg_count())
    ]
