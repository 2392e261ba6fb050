"""A GGUF file's tensors, read and dequantised without loading the model, and their geometry."""
