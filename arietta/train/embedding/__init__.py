"""Training of the embedding that judges sets of pieces."""
