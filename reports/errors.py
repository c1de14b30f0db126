"""What a reader of results can do wrong, said in one message. Nothing else lives here."""


class ReportError(Exception):
    """Results cannot be read or reported; the message names the file, the fault and the next step."""
