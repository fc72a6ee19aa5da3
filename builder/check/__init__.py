"""CHECK: Image or distribution list -> Report; one rule, one function, one row."""
