"""Kinds of step: one file each and a row in the table."""
