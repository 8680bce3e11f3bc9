"""Theory and measurement side by side, and the verdict."""
