"""Reports. ``document`` holds what is said: sentences (``summary``), ``tables/``, ``figures/``; each format renders it.

A table column is a row in its table's file; a table or a figure is a file and a row in ``document``.
"""

from verify.reporting.document import Document
from verify.reporting.writing import write_report

__all__ = ["Document", "write_report"]
