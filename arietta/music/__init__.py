"""What a pianist plays: notes, MIDI files, and what can be found in them."""
