"""Batched generation: requests, the scheduler that decodes them together, sampler chains, and raw logits."""
