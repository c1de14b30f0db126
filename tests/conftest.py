"""What tests of every room share: one set of throw-away certificates a session, as making keys takes half a second."""

from pathlib import Path

import pytest

from brokers import certificates


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of an authority, a server on loopback and a client."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder
