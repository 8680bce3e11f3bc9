"""What goes beyond the leading order in the width, one to a file: finite width, and the whole spectrum."""
