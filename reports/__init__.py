"""Reports READ numbers: results folders in, HTML, Markdown, JSON, CSV and figures out. Nothing here measures."""

from reports.compose import Outputs, compare, render
from reports.dataset import Dataset
from reports.errors import ReportError
from reports.notebook import Results, load

__all__ = ["Dataset", "Outputs", "ReportError", "Results", "compare", "load", "render"]
