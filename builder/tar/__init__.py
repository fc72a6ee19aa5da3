"""The archive format: reads and writes tar headers and members, strictly."""
