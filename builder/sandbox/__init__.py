"""Runs one command in Linux namespaces, as root or rootless, without a daemon or a tool."""
