"""Batched generation: requests, the scheduler that decodes them together, sampler chains, and raw logits."""

from typing import Any


def __getattr__(name: str) -> Any:
    """What `negtemp.model.engine` held while it was one module, for one version."""
    if not name[:1].isupper():  # a class; a module is found by the import itself
        raise AttributeError(name)
    import warnings

    from negtemp.model.engine import engine

    value = getattr(engine, name)
    warnings.warn(
        f"negtemp.model.engine.{name} is negtemp.model.engine.engine.{name} now", DeprecationWarning, stacklevel=2
    )
    return value
