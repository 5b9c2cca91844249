"""How good music is: figures, real music beside them, words and a page."""
