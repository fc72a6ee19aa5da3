"""What WSL itself does: configuration grammar, keys, names, limits, profiles, list look-up. Pure."""
