"""On how many threads are the rows of a step drawn soonest, where a device decodes?

While a device computes, threads fall asleep, and to wake 15 of them can take longer than to draw alone: on a virtual
machine with an H200, 5 ms at every step, and nothing where steps are so short that they never fall asleep. So every
power of two is tried, for each number of rows, and the one that took least goes on. Where the CPU decodes, its threads
have just worked, and all of them draw. It leaves out which rows go to which thread (`native/kernel.cpp`); the number of
threads moves no bit of any record.
"""

from statistics import median

_TRIES = 4
_KEPT = 0.9  # of the running mean, at each new step


class DrawThreads:
    """Threads for the draws of a step, by its rows. `tries`: whether fewer than `most` are tried."""

    def __init__(self, most: int, tries: bool) -> None:
        self._most = most
        self._choices = [1 << power for power in range(most.bit_length()) if 1 << power < most] if tries else []
        self._choices.append(most)
        self._tried: dict[tuple[int, int], list[float]] = {}
        self._means: dict[int, dict[int, float]] = {}

    def of(self, rows: int) -> int:
        """How many to take for the next step."""
        if len(self._choices) == 1:
            return self._most
        means = self._means.setdefault(rows, {})
        untried = (threads for threads in self._choices if threads not in means)
        return next(untried, None) or min(means, key=means.__getitem__)

    def took(self, rows: int, threads: int, seconds: float) -> None:
        """So long did the draws take. The first of each number does not count: it makes the threads."""
        if len(self._choices) == 1:
            return
        means = self._means.setdefault(rows, {})
        if threads in means:
            means[threads] = _KEPT * means[threads] + (1 - _KEPT) * seconds
            return
        tried = self._tried.setdefault((rows, threads), [])
        tried.append(seconds)
        if len(tried) == _TRIES:
            means[threads] = median(tried[1:])
