"""Kinds of source: one file each and a row in the table."""
