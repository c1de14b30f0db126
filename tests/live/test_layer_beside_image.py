"""What the layer for OpenEmbedded says of Broker-J's archive is so in the built image."""

import hashlib
from pathlib import Path

from brokers.image.recipe import recipe
from tests.brokers.image.yocto_layer import KNOWN


def test_the_license_texts_are_those_of_the_archive(image_root: Path) -> None:
    """The image holds the archive unpacked: each text has the MD5 by which bitbake knows it."""
    artifacts = {one.sha256: one for one in recipe("stable").maven}
    for checksum, archive in KNOWN["archives"].items():
        folder = image_root / artifacts[checksum].folder.lstrip("/")
        for text, md5 in archive["texts"].items():
            found = hashlib.md5((folder / text).read_bytes(), usedforsecurity=False).hexdigest()
            assert (text, found) == (text, md5)
