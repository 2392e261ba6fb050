"""The law of the level put to the test on one row under AdamW: slopes with intervals over seeds, and the closed form.

Each seed draws other hidden states; all share the order of batches. Along one axis (epsilon, decay, e-folds, width,
batch, gain of the states) all else is held; the slope is d ln p / d ln axis by least squares in each seed, its interval
a bootstrap over seeds. The regime that decay holds is taken up in its own variable: ln p against 1/decay. The closed
form says what the push is at rest (docs/level.md); `closed_form` is the measured push over it, 1 where it holds:

    push = epsilon x / (1 - x/s),    x = decay |u|,    push = |<g>|,    s = |<g>| / sqrt(<g^2>)

each a root mean square over coordinates. What trained networks show is in the truth of each member of `collapsed`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.reduced import Push, level, push_of, random_states, settle
from negtemp.theory.statistics import Interval, bootstrap

Array = NDArray[np.float64]

SEEDS, STEPS, BATCH, WIDTH, COHERENCE = 8, 3000, 64, 64, 0.5


@dataclass(frozen=True)
class Axis:
    """One axis of the map: name, what is held, values; `inverse`: ln p is fitted to 1/value, not to ln value."""

    name: str
    held: str
    values: tuple[float, ...]
    pushes: tuple[Push, ...]
    inverse: bool = False


@dataclass(frozen=True)
class Mapped:
    """An axis as measured: at each value the level, its push over epsilon, x, and the closed form's ratio (medians over
    seeds); the slope and its interval over seeds.
    """

    name: str
    held: str
    values: tuple[float, ...]
    p: tuple[float, ...]
    push_over_epsilon: tuple[float, ...]
    x: tuple[float, ...]
    closed_form: tuple[float, ...]
    slope: float
    interval: Interval


def rest(pushes: Sequence[Push], width: int = WIDTH, batch: int = BATCH, gain: int = 1) -> dict[str, Array]:
    """Where the row ends under each `Push`: level, push over epsilon, x and closed form by name, [seeds, pushes]."""
    hidden = gain * random_states(width, COHERENCE, SEEDS)
    rows = settle(hidden, pushes, STEPS, batch)
    mean, square = (_size(part) for part in push_of(rows, hidden, batch))
    epsilon, x = np.array([push.epsilon for push in pushes]), np.array([push.decay for push in pushes]) * _size(rows)
    return {
        "p": level(rows, hidden),
        "push_over_epsilon": mean / epsilon,
        "x": x,
        "closed_form": mean / closed_form(epsilon, x, mean / square),
    }


def _size(values: Array) -> Array:
    """Root mean square over the last axis."""
    return np.asarray(np.sqrt((values**2).mean(axis=-1)))


def closed_form(epsilon: Array | float, x: Array | float, steadiness: Array | float = 1.0) -> Array:
    """The push at rest: epsilon x / (1 - x / steadiness); infinite where x reaches steadiness and decay alone holds.

    >>> float(closed_form(1e-8, 0.5))
    1e-08
    """
    room = 1 - np.asarray(x) / steadiness
    with np.errstate(divide="ignore"):
        return np.where(room > 0, epsilon * np.asarray(x) / np.maximum(room, 0), np.inf)


def slope(x: Sequence[float] | Array, y: Sequence[float] | Array) -> float:
    """Least squares of y on x.

    >>> slope([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    2.0
    """
    a, b = np.asarray(x, float) - np.mean(x), np.asarray(y, float) - np.mean(y)
    return float(a @ b / (a @ a))


def mapped(axis: Axis, found: dict[str, Array]) -> Mapped:
    """The axis from what `rest` found, [seeds, values] each."""
    values = np.array(axis.values)
    scale = 1 / values if axis.inverse else np.log(values)
    slopes = [slope(scale, row) for row in np.log(found["p"])]
    middle = {name: tuple(np.median(table, axis=0).tolist()) for name, table in found.items()}
    return Mapped(axis.name, axis.held, axis.values, **middle, slope=float(np.mean(slopes)), interval=bootstrap(slopes))


EPSILONS, FINE = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10), (1e-6, 1e-8, 1e-10, 1e-12)
WEAK, STRONG = (0.01, 0.02, 0.05, 0.1), (4.0, 5.0, 6.5, 8.0)
SHORT, LONG = (0.02, 0.05, 0.1, 0.2, 0.5), (1.0, 5.0, 10.0, 20.0, 30.0)
WIDTHS, BATCHES, GAINS = (32, 64, 128, 256), (4, 16, 64, 256), (1, 2, 4, 8)

AXES = (
    Axis("epsilon", "decay 0.1", EPSILONS, tuple(Push(epsilon=e) for e in EPSILONS)),
    *(Axis("epsilon", f"decay {d}", FINE, tuple(Push(epsilon=e, decay=d) for e in FINE)) for d in (0.5, 1, 2, 3, 6)),
    Axis("decay", "epsilon 1e-8", WEAK, tuple(Push(decay=d) for d in WEAK)),
    Axis("1/decay", "epsilon 1e-8", STRONG, tuple(Push(decay=d) for d in STRONG), inverse=True),
    Axis("e-folds", "epsilon 1e-8, decay 0.1, short", SHORT, tuple(Push(efolds=n) for n in SHORT)),
    Axis("e-folds", "epsilon 1e-8, decay 0.1, long", LONG, tuple(Push(efolds=n) for n in LONG)),
)


def measure(say: Callable[[Mapped], None]) -> list[Mapped]:
    """Every axis; `say` is told of each as it is done. All that share their states run side by side."""
    found = rest([push for axis in AXES for push in axis.pushes])
    ends = np.cumsum([len(axis.pushes) for axis in AXES])[:-1]
    parts = zip(*(np.split(table, ends, axis=1) for table in found.values()), strict=True)
    done = [mapped(axis, dict(zip(found, part, strict=True))) for axis, part in zip(AXES, parts, strict=True)]
    for axis in done:
        say(axis)
    for name, values in (("width", WIDTHS), ("batch", BATCHES), ("gain", GAINS)):
        runs = [rest([Push()], **{name: value}) for value in values]
        axis_of = Axis(name, "epsilon 1e-8, decay 0.1", tuple(map(float, values)), ())
        done.append(mapped(axis_of, {key: np.concatenate([run[key] for run in runs], axis=1) for key in runs[0]}))
        say(done[-1])
    return done
