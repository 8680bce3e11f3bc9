"""The whole spectrum: the bulk's law with its edges, and the outliers above it."""
