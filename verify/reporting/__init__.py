"""Reports: plain tables and lines first, then HTML, Markdown, JSON, CSV and figures made of them."""

from verify.reporting.export import write_report

__all__ = ["write_report"]
