"""Metric × order parameters → the kernel of its dual matrix; the softmax sandwich."""
