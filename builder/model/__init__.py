"""Frozen data that crosses stages. Nothing here reads or writes anything."""
