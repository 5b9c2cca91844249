"""A trained network on disk, and one decoding step of it."""
