"""Written time: scores played with touch, and lengths in bars."""
