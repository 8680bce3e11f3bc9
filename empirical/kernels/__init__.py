"""Empirical kernels as matrices: of random networks and torch modules, block by block, in memory or in a file."""
