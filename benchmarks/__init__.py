"""Measures wslimg side by side with what users would use instead, in alternation, in one run.

`python -m benchmarks [SUITE ...]` makes its own inputs, and writes what it finds into `docs/benchmarks.md`:
each suite replaces its own section. It waits for a quiet machine and measures again what others disturbed,
unless `PATIENCE=1` is in the environment. Suites: pack-small, pack, pack-huge, repack, build, rebuild,
check, bootstrap, image, step.
"""
