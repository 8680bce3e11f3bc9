"""The store, and what is exported of it."""
