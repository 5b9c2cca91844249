"""The endpoints for working on stored pieces: revisions, uploads."""
