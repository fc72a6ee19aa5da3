"""EXECUTE: Plan -> Tree. An engine runs each operation in a container and keeps what it left as a layer."""
