"""Measures wslimg side by side with what users would use instead, in alternation, in one run.

`python -m benchmarks [SUITE ...]` makes its own inputs, and writes what it finds into `docs/benchmarks.md`:
each suite replaces its own section. Suites: pack-small, pack, repack, build, check, bootstrap, step.
"""
