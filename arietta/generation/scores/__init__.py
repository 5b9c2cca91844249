"""Written scores, played with touch."""
