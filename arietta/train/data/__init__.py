"""What the network learns from: crops of pieces, laid out, in batches."""
