"""Reports READ numbers: results folders in, HTML, Markdown and JSON out. Nothing here measures."""
