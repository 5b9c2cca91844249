"""What the endpoints answer, as types, beside those in `schemas`."""
