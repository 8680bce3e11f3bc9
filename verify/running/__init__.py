"""The trials of a sweep: drawn, measured, and run on many processes."""
