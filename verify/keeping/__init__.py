"""The store: its file, its rows, and what is exported of it."""
