"""What extracting an archive with the bsdtar of WSL leaves: judged in memory, or really written."""
