"""``predict`` and what it answers."""
