"""What tests of every room share.

One set of throw-away certificates a session, as making keys takes half a second; and no
deadlines for generated examples, as the time of one on a busy machine says nothing. Where
nothing is compiled (`tests/bench/wire/test_uncompiled.py`), few examples, and always the same.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from brokers import certificates

settings.register_profile("busbench", deadline=None)
settings.register_profile("uncompiled", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("busbench")


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of an authority, a server on loopback and a client."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return folder
