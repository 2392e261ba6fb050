"""A GGUF file's tensors, read and dequantised without loading the model, and their geometry."""

from negtemp.model.former_names import names_of

__getattr__ = names_of(__name__, "tensors")
