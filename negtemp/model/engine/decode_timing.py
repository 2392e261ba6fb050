"""How many rows should a decode have on this machine? Measured once for each model, and remembered.

Time does not grow evenly with the rows of a batch. llama.cpp's CPU kernels take rows by fours and the rest one by one,
so on a 7B LLaMA of Q4_0 and two cores a step of 2 rows takes 478 ms and one of 4 takes 333: a pair is faster padded.
Elsewhere padding loses. So widths up to 8 are timed, and above that the rest after fours decides; for `best`, powers of
two up to 32. A width is measured when something first asks for it and kept in the user's cache folder under the model,
the threads, the library and the machine, so that later runs have the same batch shape. What cannot be kept is measured
again. It leaves out the length of the context, which costs every width alike.
"""

import hashlib
import json
import math
import platform
import time
from collections.abc import Iterable

from negtemp.model import cache
from negtemp.model.llama.context import Context
from negtemp.model.llama.model import Model
from negtemp.model.threads import default_threads

BEST_AMONG = (1, 2, 4, 8, 16, 32)

_GRAIN = 4
_PADDING_PAYS_BELOW = 0.9
_LEAST_ROUNDS, _MOST_ROUNDS, _ENOUGH_SECONDS = 2, 20, 0.2


class DecodeTiming:
    """Seconds of a decode step by its rows, for one model on this machine."""

    def __init__(self, model: Model, threads: int | None) -> None:
        self._model, self._threads = model, threads or default_threads()
        self._seconds: dict[int, float] | None = None

    def rows(self, live: int) -> int:
        """Rows of the step that decodes `live` sequences soonest: as many, or padded to the next four."""
        rest = live % _GRAIN
        if not rest or live == 1 or not self._model.can_cut_memory:
            return live
        bare, padded = _compared(live)
        seconds = self._known([bare, padded])
        return live + _GRAIN - rest if seconds[padded] < _PADDING_PAYS_BELOW * seconds[bare] else live

    def widest(self, slots: int) -> int:
        """The most rows that a step of up to `slots` sequences has; what is not known is measured in one go."""
        if self._model.can_cut_memory:
            self._known({width for live in range(2, slots + 1) if live % _GRAIN for width in _compared(live)})
        return max(map(self.rows, range(1, slots + 1)))

    def best(self, most: int) -> int:
        """How many sequences, up to `most`, give the most tokens a second."""
        candidates = [width for width in BEST_AMONG if width <= most]
        seconds = self._known(candidates)
        return min(candidates, key=lambda width: seconds[width] / width)

    def seconds(self, rows: int) -> float:
        """Seconds of one step of `rows` rows over a short context."""
        return self._known([rows])[rows]

    def _known(self, widths: Iterable[int]) -> dict[int, float]:
        """The seconds of at least these widths."""
        if self._seconds is None:
            self._seconds = _read(self._entry)
        missing = sorted(set(widths) - set(self._seconds))
        if missing:
            self._seconds |= _measure(self._model, self._threads, missing)
            cache.write(self._entry, {str(rows): seconds for rows, seconds in self._seconds.items()})
        return self._seconds

    @property
    def _entry(self) -> str:
        library = self._model.library
        parts = (
            self._model.fingerprint(), self._threads, self._model.gpu_layers, library.version,
            json.dumps(library.build, sort_keys=True), platform.node(), platform.machine(),
        )  # fmt: skip
        return f"decode-timing-{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"


def _compared(live: int) -> tuple[int, int]:
    """The widths whose times tell whether to pad: those of one or two fours with the same rest."""
    rest = live % _GRAIN
    return (live, _GRAIN) if live < _GRAIN else (_GRAIN + rest, 2 * _GRAIN)


def _measure(model: Model, threads: int, widths: list[int]) -> dict[int, float]:
    """The shortest of several steps of each width, taken by turns so that a busy moment hits all alike."""
    best = dict.fromkeys(widths, math.inf)
    with Context(model, max(widths), max(widths), threads) as context:
        started = time.perf_counter()
        for turn in range(_MOST_ROUNDS):
            for width in widths:
                best[width] = min(best[width], _step_seconds(context, width))
            if turn + 1 >= _LEAST_ROUNDS and time.perf_counter() - started > _ENOUGH_SECONDS:
                break
    return best


def _step_seconds(context: Context, width: int) -> float:
    started = time.perf_counter()
    context.step([(0, 0, sequence) for sequence in range(width)])
    elapsed = time.perf_counter() - started
    context.clear()
    return elapsed


def _read(entry: str) -> dict[int, float]:
    """What was measured before; nothing where there is no such entry or it is not ours."""
    try:
        return {int(rows): float(seconds) for rows, seconds in cache.read(entry).items() if float(seconds) > 0}
    except (ValueError, TypeError):
        return {}
