"""Throw-away certificates: what they are good for, and what is said where none can be made."""

import stat
import subprocess
from pathlib import Path

import pytest

from brokers import certificates
from brokers.endpoint import Tls


@pytest.mark.parametrize(("file", "purpose"), [(certificates.SERVER, "sslserver"), (certificates.CLIENT, "sslclient")])
def test_each_is_signed_for_its_own_purpose(certified: Path, file: str, purpose: str) -> None:
    """And for no other: OpenSSL's own check is the judge."""

    def check(wanted: str) -> int:
        command = ("openssl", "verify", "-x509_strict", "-purpose", wanted, "-CAfile", certificates.CA, file)
        return subprocess.run(command, cwd=certified, capture_output=True, check=False).returncode

    other = {"sslserver": "sslclient", "sslclient": "sslserver"}[purpose]
    assert check(purpose) == 0
    assert check(other) != 0


def test_keys_are_for_our_eyes(certified: Path) -> None:
    """Nobody else on the host may read them."""
    for file in (certificates.SERVER_KEY, certificates.CLIENT_KEY, "ca-key.pem"):
        assert stat.S_IMODE((certified / file).stat().st_mode) == 0o600


def test_a_client_shows_its_certificate_only_where_it_logs_in_by_it(tmp_path: Path) -> None:
    """With a password it is not asked for."""
    tls = tmp_path / "tls"
    assert certificates.towards(tmp_path, "plain") == Tls(f"{tls}/ca.pem")
    assert certificates.towards(tmp_path, "external") == Tls(
        f"{tls}/ca.pem", f"{tls}/client.pem", f"{tls}/client-key.pem"
    )


def test_a_missing_openssl_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it is wanted for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"`openssl` is not installed.*transport = 'tls'"):
        certificates.make(tmp_path)


def test_what_openssl_says_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is not passed over."""
    fake = tmp_path / "openssl"
    fake.write_text("#!/bin/sh\necho no entropy >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(OSError, match="`openssl req` made no certificate: no entropy"):
        certificates.make(tmp_path)
