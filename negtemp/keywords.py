"""Keywords of the Python face that come from a table: shown in the signature, and a wrong one named with its nearest.

A method that passes `**options` on to a dataclass would show none of them to `help()` or to completion, and a misspelt
one would be reported from somewhere below. It leaves out values, which the dataclass checks.
"""

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from negtemp.errors import UnknownKeywordError

P = ParamSpec("P")
R = TypeVar("R")


def keywords(table: Any = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose `**options` are the fields of the dataclass `table`; None where it takes none."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = _expanded(inspect.signature(function), table)
        names = [name for name, one in signature.parameters.items() if one.kind is not one.VAR_POSITIONAL]

        @functools.wraps(function)
        def checked(*arguments: P.args, **options: P.kwargs) -> R:
            for name in options:
                if name not in names:
                    raise UnknownKeywordError(_message(function.__name__, name, names))
            return function(*arguments, **options)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        return checked

    return decorate


def _expanded(signature: inspect.Signature, table: Any) -> inspect.Signature:
    """The signature with the table's fields in the place of `**options`."""
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    fields = dataclasses.fields(table) if table else ()
    return signature.replace(
        parameters=[
            *own,
            *(inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
              for f in fields),
        ]
    )  # fmt: skip


def _message(function: str, name: str, names: list[str]) -> str:
    nearest = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"it knows {', '.join(n for n in names if n != 'self')}"
    return f"{function}() knows no keyword {name!r}; {hint}"
