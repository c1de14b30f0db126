"""Throw-away certificates for a broker that we start: an authority, a server, a client.

Made by the command `openssl`, which Debian has wherever it has certificates of its own.
They live in the broker's folder, for as long as it does, and are good for loopback alone.
"""

import subprocess
from pathlib import Path

from brokers.endpoint import Sasl, Tls

FOLDER = "tls"
"""Where they lie, below the broker's folder."""
CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY = "ca.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"
CLIENT_NAME = "busbench"
"""Common name of the client's certificate, which is its user name at the broker."""
TIMEOUT_S = 20.0
_DAYS = "30"
_KEY = ("-newkey", "rsa:2048", "-nodes")
"""Broker-J reads no other kind of key from a PEM file."""
_EXTENSIONS = """\
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
"""


def make(folder: Path) -> None:
    """Make an authority and, signed by it, certificates of a server on loopback and of a client.

    Args:
        folder: exists; takes the files.

    Raises:
        OSError: there is no `openssl`, or it failed; says why.
    """
    extensions = folder / "extensions.cnf"
    extensions.write_text(_EXTENSIONS)
    _certify(folder, extensions, "ca", "busbench throw-away CA")
    _certify(folder, extensions, "server", "localhost")
    _certify(folder, extensions, "client", CLIENT_NAME)


def towards(folder: Path, sasl: Sasl) -> Tls:
    """Return how a client speaks TLS to the broker of that folder."""
    tls = folder / FOLDER
    if sasl != "external":
        return Tls(str(tls / CA))
    return Tls(str(tls / CA), str(tls / CLIENT), str(tls / CLIENT_KEY))


def _certify(folder: Path, extensions: Path, role: str, name: str) -> None:
    """Make a key and a certificate, signed by the authority or, for the authority, by itself."""
    key, request, certificate = (str(folder / file) for file in (f"{role}-key.pem", f"{role}.csr", f"{role}.pem"))
    _openssl("req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    signer = (
        ("-signkey", key)
        if role == "ca"
        else ("-CA", str(folder / CA), "-CAkey", str(folder / "ca-key.pem"), "-CAcreateserial")
    )
    profile = ("-extfile", str(extensions), "-extensions", role)
    _openssl("x509", "-req", "-in", request, "-days", _DAYS, "-out", certificate, *signer, *profile)


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ("openssl", *arguments), capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        message = "`openssl` is not installed, which makes the certificates of brokers with transport = 'tls'"
        raise FileNotFoundError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"`openssl {arguments[0]}` did not end within {TIMEOUT_S:.0f} s"
        raise OSError(message) from error
    if done.returncode != 0:
        message = f"`openssl {arguments[0]}` made no certificate: {done.stderr.strip()}"
        raise OSError(message)
