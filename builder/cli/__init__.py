"""argv -> pipeline -> exit code; one file per group of commands."""
