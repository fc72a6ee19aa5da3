"""What WSL itself does: its configuration grammar, keys, names, limits, terminal profile, list look-up. Pure.

The facts are those of microsoft/WSL 2.9.4 unless a docstring names another version.
"""
