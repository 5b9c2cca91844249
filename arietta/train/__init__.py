"""Training: the only part of Arietta that imports torch."""
