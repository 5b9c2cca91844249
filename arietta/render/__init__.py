"""What notes sound and look like: a sampled piano, piano rolls, scores."""
