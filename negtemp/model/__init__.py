"""The machine side: everything that touches a GGUF file or the compiled library."""

from negtemp.model import former_names

former_names.install()
