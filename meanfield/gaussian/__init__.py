"""Gaussian expectations as numbers: of one and of two variables, with error and status."""
