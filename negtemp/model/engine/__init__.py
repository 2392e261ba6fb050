"""Batched generation: requests, the scheduler that decodes them together, sampler chains, and raw logits."""

from negtemp.model.former_names import names_of

__getattr__ = names_of(__name__, "engine")
