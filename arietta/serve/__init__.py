"""Composing over HTTP; fastapi lives in this package only."""
