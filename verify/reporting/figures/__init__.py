"""The figures of a report, one kind a file: its caption, its pictures, how one is drawn.

A new figure is a file here with a ``section`` and a row in `verify.reporting.document.FIGURES`.
"""
