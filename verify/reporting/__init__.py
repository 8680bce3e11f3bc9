"""Reports: plain tables and lines first, then HTML, Markdown, JSON, CSV and figures made of them."""

from verify.reporting.document import Document
from verify.reporting.writing import write_report

__all__ = ["Document", "write_report"]
