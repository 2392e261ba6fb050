"""What breaks negtemp: model files damaged in every way that a seed can name.

gguf_bytes      where each field of a GGUF file lies
mutations       one damaged copy of a model for each number
fuzz            every command on damaged copies: how each ended, how long it took, how much memory it had

Run `python -m hardening.fuzz --help` in `benchmarks`. What came of it is in `docs/hardening.md`.
"""
