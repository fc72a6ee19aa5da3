"""Writes the reference pages from the code that they describe, one function a page."""
