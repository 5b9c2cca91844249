"""Folders of MIDI files made into a deduplicated store, split by work."""
