"""TRY: Image -> Trial: import as WSL does, first launch, boot, on Linux."""
