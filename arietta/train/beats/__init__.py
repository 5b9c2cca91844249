"""Training of the network that hears beats (`music.beats.network`)."""
