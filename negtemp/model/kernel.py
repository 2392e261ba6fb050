"""The compiled loops over rows of logits (negtemp/native): draws at one temperature, what a row says about a token, and
steps of the engine, a decode and its draws in one call.

They are built with the library and lie beside it; where they are missing, or are of another version, everything is
computed without them: statistics by `theory.observation`, which is their specification, and draws by llama.cpp's own
chain, to which they are equal bit for bit. numpy alone takes three times as long for a float32 exponential and its sum
as these take for everything.

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

_VERSION = 5
_DONE = 0

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "negtemp_version": (_INT, []),
    "negtemp_turn_bytes": (_LONG, []),
    "negtemp_level": (ctypes.c_char_p, []),
    "negtemp_level_weighs": (_INT, []),
    "negtemp_draw": (None, [_LONG, _POINTER, _LONG, _INT, _INT]),
    "negtemp_observe": (None, [_LONG, _POINTER, _LONG, _INT]),
    "negtemp_step": (ctypes.c_int32, [_POINTER, ctypes.c_int32, _POINTER, _LONG, ctypes.c_int32, _INT, _INT]),
    "negtemp_random": (_POINTER, [ctypes.c_uint32]),
    "negtemp_random_free": (None, [_POINTER]),
    "negtemp_exponentials": (None, [_POINTER, _LONG, _POINTER]),
}  # fmt: skip

Row = NDArray[np.float32]
Ids = NDArray[np.int32]


class _Turn(ctypes.Structure):
    """One row, what is to be done with it, and what was found: `Turn` of kernel.cpp, field by field."""

    _fields_ = [
        ("row", _POINTER), ("masked", _POINTER), ("masked_count", _LONG), ("numbers", _POINTER),
        ("temperature", ctypes.c_float), ("sign", ctypes.c_int32), ("token_id", ctypes.c_int32),
        ("status", ctypes.c_int32), ("position", ctypes.c_int32), ("sequence", ctypes.c_int32),
        ("p", ctypes.c_double), ("figures", ctypes.c_double * 5),
    ]  # fmt: skip

    def mask(self, masked: Ids | None) -> None:
        """Ids, ascending, that cannot be drawn; whoever gives them keeps them."""
        if masked is not None:
            self.masked, self.masked_count = masked.ctypes.data, len(masked)

    def observed(self) -> Observed:
        below_peak, total, distance, gap, above = self.figures
        if math.isnan(below_peak):
            return NOTHING
        log_total = math.log(total)
        return Observed(below_peak - log_total, int(above), log_total - distance / total, gap)


class ToObserve(NamedTuple):
    """A row `[vocab]` and the token drawn from it; `barred` are the ids, ascending, that could not have been."""

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

    def observe(self, drawn: Sequence[ToObserve], threads: int) -> list[Observed]:
        """What each row says about its token, as `theory.observation.Observer` does; rows of one length, in C order."""
        turns = [_Turn(row=one.row.ctypes.data, token_id=one.token_id, sign=_sign(one.beta)) for one in drawn]
        for turn, one in zip(turns, drawn, strict=True):
            turn.mask(one.barred)
        self.api.negtemp_observe(len(drawn), _pointers(turns), len(drawn[0].row), threads)
        return [turn.observed() for turn in turns]


class Draw(NamedTuple):
    """One drawn token, ln of its probability under the filters, and what could not have been drawn (None: nothing).

    observed    what the raw logits say about it; NOTHING until somebody has asked
    masked      token ids, ascending
    left_out    a mask `[vocab]` of what filters and mask left out, where there are filters
    """

    token_id: int
    logprob: float
    observed: Observed = NOTHING
    masked: Ids | None = None
    left_out: NDArray[np.bool_] | None = None


class CompiledSampler:
    """Draws for one sequence at one temperature, as the samplers `temp` and `dist` make them. Close it."""

    def __init__(self, kernel: Kernel, temperature: float, beta: float, seed: int, masked: Ids | None) -> None:
        """`temperature` as the sampler is given it, 0 for the extreme on the side of beta; `masked` ids, ascending."""
        self._api, self.masked = kernel.api, masked
        self._numbers = self._api.negtemp_random(seed)
        self._turn = _Turn(numbers=self._numbers, temperature=temperature, sign=_sign(beta))
        self._turn.mask(masked)

    @staticmethod
    def draw_all(
        samplers: "Sequence[CompiledSampler]", rows: Sequence[Row], threads: int, observes: bool
    ) -> list[Draw | None]:  # fmt: skip
        """A token of each row `[vocab]`, all rows on all `threads`; None, and no random number taken, where a row is no
        distribution or none of what is not masked is finite.
        """
        turns = [one._turn for one in samplers]
        for turn, row in zip(turns, rows, strict=True):
            turn.row = row.ctypes.data
        samplers[0]._api.negtemp_draw(len(turns), _pointers(turns), len(rows[0]), observes, threads)
        return [_draw(turn, observes) for turn in turns]

    def at(self, position: int, sequence: int) -> "CompiledSampler":
        """Itself; its next step decodes the token drawn last at `position` of `sequence`."""
        self._turn.position, self._turn.sequence = position, sequence
        return self

    def close(self) -> None:
        if self._numbers:
            self._api.negtemp_random_free(self._numbers)
            self._numbers = None


class Decoder(ctypes.Structure):
    """How llama.cpp decodes in one context, by addresses: `llama_decode`, `llama_get_logits`, the context, a
    `llama_batch` with room for every row, and a byte for each token, whether it ends a sequence; the number of a
    sequence that nobody uses; and how far the steps are. `Decoder` of kernel.cpp, field by field.
    """

    _fields_ = [
        ("decode", _POINTER), ("get_logits", _POINTER), ("context", _POINTER), ("batch", _POINTER), ("ends", _POINTER),
        ("padding_sequence", ctypes.c_int32), ("begun", ctypes.c_int32), ("status", ctypes.c_int32),
        ("draw_seconds", ctypes.c_double),
    ]  # fmt: skip


class Steps:
    """Steps of the same sequences, each a decode of the token drawn last and a draw of the next, in one call."""

    def __init__(self, samplers: Sequence[CompiledSampler], decoder: Decoder, vocab: int) -> None:
        self._turns = [one._turn for one in samplers]
        self._samplers, self._decoder = samplers, decoder  # what the addresses below belong to
        self._step = samplers[0]._api.negtemp_step
        self._given = ctypes.addressof(decoder), len(samplers), _pointers(self._turns), vocab

    def decode(self, width: int, threads: int, ahead: bool = False) -> int:
        """One step, in `width` rows where these are more, drawn on so many threads; the status of `llama_decode`.

        ahead: begin the decode of what was drawn too, if none of it ends its sequence; the next step goes on there.
        """
        return int(self._step(*self._given, width, threads, ahead))

    @property
    def begun(self) -> bool:
        """Whether the decode of the next step has begun: it must be of the same sequences."""
        return bool(self._decoder.begun)

    @property
    def draw_seconds(self) -> float:
        """How long the draws of the last step took."""
        return float(self._decoder.draw_seconds)

    def drawn(self) -> list[Draw | None]:
        """What the last step has drawn of each, and what the row says; None as in `CompiledSampler.draw_all`."""
        return [_draw(turn, True) for turn in self._turns]


def _draw(turn: _Turn, observes: bool) -> Draw | None:
    if turn.status != _DONE:
        return None
    logprob = math.log(turn.p) if turn.p > 0 else -math.inf
    return Draw(turn.token_id, logprob, turn.observed() if observes else NOTHING)


def _sign(beta: float) -> int:
    return (beta > 0) - (beta < 0)


def _pointers(turns: Sequence[_Turn]) -> Any:
    return (_POINTER * len(turns))(*map(ctypes.addressof, turns))


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
    fits = api.negtemp_version() == _VERSION and api.negtemp_turn_bytes() == ctypes.sizeof(_Turn)
    return Kernel(api) if fits else None
