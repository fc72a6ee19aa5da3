"""INSPECT: Image -> Inventory and Manifest."""
