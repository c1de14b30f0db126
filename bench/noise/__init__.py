"""The noise floor of a host: what a broker beside itself seems to differ by."""
