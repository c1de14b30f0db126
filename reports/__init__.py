"""Reports READ numbers: results folders in, HTML, Markdown, JSON, CSV and figures out. Nothing here measures."""

from reports.compose import Outputs, compare, render
from reports.dataset import Dataset, load
from reports.errors import ReportError

__all__ = ["Dataset", "Outputs", "ReportError", "compare", "load", "render"]
