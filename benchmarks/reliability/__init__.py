"""What strangers may do to a server, and what others feel of it."""
