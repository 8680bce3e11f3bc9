"""Dual matrices of the metrics: Gram products, implicit products, eigenvalues, and the plan."""
