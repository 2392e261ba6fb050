"""A GGUF file's tensors, read and dequantised without loading the model, and their geometry."""

from typing import Any


def __getattr__(name: str) -> Any:
    """What `negtemp.model.weights` held while it was one module, for one version."""
    if not name[:1].isupper():  # a class; a module is found by the import itself
        raise AttributeError(name)
    import warnings

    from negtemp.model.weights import tensors

    value = getattr(tensors, name)
    warnings.warn(
        f"negtemp.model.weights.{name} is negtemp.model.weights.tensors.{name} now", DeprecationWarning, stacklevel=2
    )
    return value
