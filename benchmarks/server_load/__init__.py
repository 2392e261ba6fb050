"""Load on the patched server: honest clients of mixed sign beside one that is slow, one that leaves and one that sends
garbage. `python -m server_load` in benchmarks/ runs it; docs/hardening.md holds what was measured.
"""
