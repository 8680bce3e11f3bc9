"""Corrections to the leading order, one to a file; :mod:`meanfield.refinements.finite_width` joins those in 1/M."""
