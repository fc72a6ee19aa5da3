"""Debian's archives: signed metadata, dependencies, packages, and the unpacked base they make."""
