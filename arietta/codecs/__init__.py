"""Notes to tokens and back, and the grammar of tokens."""
