"""What a piece shares with a corpus, and how much people's own works share."""
