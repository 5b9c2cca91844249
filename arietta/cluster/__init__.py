"""The same work on many machines, with Ray; nothing else of Arietta imports this room, or Ray."""
