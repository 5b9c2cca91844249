"""What musicians make of stored pieces: revisions, and uploads."""
