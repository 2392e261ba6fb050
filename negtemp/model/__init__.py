"""The machine side: everything that touches a GGUF file or the compiled library."""
