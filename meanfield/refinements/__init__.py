"""Corrections to the leading order in the width, one a file: finite width, and the whole spectrum."""
