"""The HTTP interface; fastapi is imported here and in `app` only."""
