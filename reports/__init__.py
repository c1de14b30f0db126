"""Reports READ numbers: results folders in, HTML, Markdown and JSON out. Nothing here measures."""

from reports.compose import render
from reports.errors import ReportError

__all__ = ["ReportError", "render"]
