"""Report pages: one HTML file that loads nothing."""
