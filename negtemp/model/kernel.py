"""The compiled loops over rows of logits (negtemp/native): statistics of a token, and draws at one temperature.

They are built with the library and lie beside it; where they are missing, or are of another version, everything is
computed without them: statistics by `theory.observation`, which is their specification, and draws by llama.cpp's own
chain, to which they are equal bit for bit. numpy alone takes three times as long for a float32 exponential and its sum
as these take for everything (docs/speed.md).

NEGTEMP_KERNEL names another file, or `none`. It leaves out when to use which (`engine`).
"""

import ctypes
import functools
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negtemp.model.library import Library
from negtemp.theory.observation import NOTHING, Observed

_VERSION = 2
_FIGURES = 5

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "negtemp_version": (_INT, []),
    "negtemp_level": (ctypes.c_char_p, []),
    "negtemp_level_weighs": (_INT, []),
    "negtemp_observe": (None, [_LONG, _POINTER, _LONG, *[_POINTER] * 4, _INT, _POINTER]),
    "negtemp_draw": (
        _INT,
        [_POINTER, _LONG, _POINTER, _LONG, ctypes.c_float, _POINTER, _INT, _POINTER, _POINTER],
    ),
    "negtemp_draw_all": (None, [_LONG, _POINTER, _LONG, *[_POINTER] * 4, _INT, *[_POINTER] * 3]),
    "negtemp_random": (_POINTER, [ctypes.c_uint32]),
    "negtemp_random_free": (None, [_POINTER]),
    "negtemp_random_next": (ctypes.c_double, [_POINTER]),
    "negtemp_exponentials": (None, [_POINTER, _LONG, _POINTER]),
}  # fmt: skip

Row = NDArray[np.float32]
Ids = NDArray[np.int32]


class Drawn(NamedTuple):
    """A token that was drawn from a row `[vocab]`; `barred` are the ids, ascending, that could not have been."""

    row: Row
    token_id: int
    beta: float
    barred: Ids | None


class Kernel:
    """The compiled loops."""

    def __init__(self, api: Any) -> None:
        self.api = api

    @property
    def level(self) -> str:
        """The instructions that it uses on this machine: avx512, avx2, or plain ones, NEON among them."""
        name = self.api.negtemp_level().decode()
        return str(name) if self.api.negtemp_level_weighs() else f"{name}, exponentials one by one"

    def observe(self, drawn: Sequence[Drawn], threads: int) -> list[Observed]:
        """What each row says about its token, as `theory.observation.Observer` does; rows of one length, in C order."""
        count, vocab = len(drawn), len(drawn[0].row)
        rows = np.array([one.row.ctypes.data for one in drawn], np.uintp)
        token_ids = np.array([one.token_id for one in drawn], np.int32)
        signs = np.array([(one.beta > 0) - (one.beta < 0) for one in drawn], np.int32)
        barred = np.array([0 if one.barred is None else one.barred.ctypes.data for one in drawn], np.uintp)
        counts = np.array([0 if one.barred is None else len(one.barred) for one in drawn], np.int64)
        found = np.empty((count, _FIGURES))
        self.api.negtemp_observe(
            count, rows.ctypes.data, vocab, token_ids.ctypes.data, signs.ctypes.data, barred.ctypes.data,
            counts.ctypes.data, threads, found.ctypes.data,
        )  # fmt: skip
        return [
            _observed(float(one.row[one.token_id]), *figures)
            for one, figures in zip(drawn, found.tolist(), strict=True)
        ]


def _observed(chosen: float, peak: float, total: float, distance: float, gap: float, above: float) -> Observed:
    if math.isnan(peak):
        return NOTHING
    log_total = math.log(total)
    return Observed(chosen - peak - log_total, int(above), log_total - distance / total, gap)


class Draws:
    """Draws of one sequence at one temperature, as the samplers `temp` and `dist` make them. Close it."""

    def __init__(self, kernel: Kernel, temperature: float, seed: int, masked: Ids | None, threads: int) -> None:
        """`temperature` as the sampler is given it, neither 0 nor infinite; `masked` ids, ascending."""
        self._api, self._temperature, self._threads = kernel.api, temperature, threads
        self._masked, self._masked_count = masked, 0 if masked is None else len(masked)
        self._masked_address = None if masked is None else masked.ctypes.data
        self._token_id, self._p = ctypes.c_int32(), ctypes.c_float()
        self._found = ctypes.byref(self._token_id), ctypes.byref(self._p)
        self._numbers = self._api.negtemp_random(seed)

    def draw(self, row: Row) -> tuple[int, float] | None:
        """A token of `[vocab]` logits and its probability; None, and nothing drawn, where they are no distribution."""
        status = self._api.negtemp_draw(
            row.ctypes.data, len(row), self._masked_address, self._masked_count, self._temperature, self._numbers,
            self._threads, *self._found,
        )  # fmt: skip
        return None if status else (self._token_id.value, self._p.value)

    @staticmethod
    def draw_all(draws: "Sequence[Draws]", rows: Sequence[Row], threads: int) -> list[tuple[int, float] | None]:
        """What `draw` gives of each row `[vocab]`, rows side by side on `threads`; all of one vocabulary."""
        count, api = len(draws), draws[0]._api
        addresses = np.array([row.ctypes.data for row in rows], np.uintp)
        masked = np.array([one._masked_address or 0 for one in draws], np.uintp)
        counts = np.array([one._masked_count for one in draws], np.int64)
        temperatures = np.array([one._temperature for one in draws], np.float32)
        numbers = np.array([one._numbers for one in draws], np.uintp)
        token_ids, statuses = np.empty(count, np.int32), np.empty(count, np.int32)
        chances = np.empty(count, np.float32)
        api.negtemp_draw_all(
            count, addresses.ctypes.data, len(rows[0]), masked.ctypes.data, counts.ctypes.data,
            temperatures.ctypes.data, numbers.ctypes.data, threads, token_ids.ctypes.data, chances.ctypes.data,
            statuses.ctypes.data,
        )  # fmt: skip
        found = zip(statuses.tolist(), token_ids.tolist(), chances.tolist(), strict=True)
        return [None if status else (token_id, p) for status, token_id, p in found]

    def skip(self) -> None:
        """Let one random number go by."""
        self._api.negtemp_random_next(self._numbers)

    def close(self) -> None:
        if self._numbers:
            self._api.negtemp_random_free(self._numbers)
            self._numbers = None


def find(library: Library) -> Kernel | None:
    """The loops that lie beside the library, or those that NEGTEMP_KERNEL names; None where there are none that fit."""
    named = os.environ.get("NEGTEMP_KERNEL", "")
    return None if named == "none" else _load(named or str(beside(Path(library.api.__file__).parent)))


def beside(package: Path) -> Path:
    """Where the build puts them, in the package of the bindings."""
    return package / "lib" / ("libnegtemp.dylib" if sys.platform == "darwin" else "libnegtemp.so")


@functools.cache
def _load(path: str) -> Kernel | None:
    try:
        api = ctypes.CDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(api, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return Kernel(api) if api.negtemp_version() == _VERSION else None
