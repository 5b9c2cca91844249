"""The corpus that all tests of the embedding's training share."""

from tests.support.embedding import library, store

__all__ = ["library", "store"]
