"""How long work tells its caller how far it is: a hook that passes items on, so that progress can be shown.

It leaves out the showing (`views.progress`).
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")

ProgressHook = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Called with the items of one part of the work, how many there are, and what is done with them."""


def no_progress(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """The ProgressHook that shows nothing.

    >>> list(no_progress("ab", 2, "reading"))
    ['a', 'b']
    """
    return items
