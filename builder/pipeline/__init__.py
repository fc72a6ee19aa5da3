"""Joins the stages: one function per command, one line per stage."""
