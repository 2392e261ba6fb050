"""What breaks negtemp: model files damaged, and sweeps disturbed, in every way that a seed can name.

gguf_bytes      where each field of a GGUF file lies
mutations       one damaged copy of a model for each number
fuzz            every command on damaged copies: how each ended, how long it took, how much memory it had
faults          what may happen to a sweep at work, and whether every unit is there once afterwards
fault_kinds     how each of that is done
sweep_under_fault   a sweep that can be held at any unit, and its records read without negtemp
forked          commands as forks of one process
seeds           the options of a run over seeds

Run `python -m hardening.fuzz --help` or `python -m hardening.faults --help` in `benchmarks`. What came of it is in
`docs/hardening.md`.
"""
