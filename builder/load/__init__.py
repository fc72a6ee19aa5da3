"""LOAD: YAML -> Recipe. Every problem of a file at once, with file:line:column."""
