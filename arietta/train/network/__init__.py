"""The networks that are trained, each in one file."""
