"""negtemp: sample language models at any temperature, above and below zero, and measure what comes out.

    import negtemp
    with negtemp.load("7b.gguf") as model:
        cold = model.complete("Temperature is a concept", temperature=0.001)
        inverted = model.complete("Temperature is a concept", temperature=-0.001)

Importing this package is cheap: numpy and the compiled library are loaded by `load`.
"""

from typing import TYPE_CHECKING, Any

from negtemp.errors import NegtempError
from negtemp.version import __version__

if TYPE_CHECKING:
    from negtemp.api import LoadedModel, load
    from negtemp.runs.reading import load_run

__all__ = ["LoadedModel", "NegtempError", "__version__", "load", "load_run"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for; `load_run` needs no library."""
    if name == "load_run":
        from negtemp.runs.reading import load_run

        return load_run
    if name in ("load", "LoadedModel"):
        from negtemp import api

        return getattr(api, name)
    raise AttributeError(f"module 'negtemp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
