"""The report in other formats, one a file; each is made of the same summary."""
