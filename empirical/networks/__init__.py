"""Random networks: their streams, and their passes layer by layer."""
