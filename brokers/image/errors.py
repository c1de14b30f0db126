"""What goes wrong with images."""


class ImageError(Exception):
    """An image cannot be built, found or removed; the message says why and what to do."""
