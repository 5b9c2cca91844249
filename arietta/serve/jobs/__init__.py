"""Pieces under way and the pieces kept, without HTTP."""
