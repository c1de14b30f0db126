"""Throw-away certificates for a broker that we start: an authority, a server, a client.

They live in the broker's folder, for as long as it does, and are good for loopback alone.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from brokers.endpoint import Sasl, Tls

FOLDER = "tls"
"""Where they lie, below the broker's folder."""
CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY = "ca.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"
CLIENT_NAME = "busbench"
"""Common name of the client's certificate, which is its user name at the broker."""
CLIENT_SUBJECT = f"CN={CLIENT_NAME}, OU={CLIENT_NAME}, O={CLIENT_NAME}"
"""All names in that certificate, as Java writes them."""
_LIFE = timedelta(days=30)


def make(folder: Path) -> None:
    """Make an authority and, signed by it, certificates of a server on loopback and of a client.

    Args:
        folder: exists; takes the files.
    """
    import trustme  # noqa: PLC0415  (a tenth of a second that only brokers with TLS need)

    rsa = trustme.KeyType.RSA  # Broker-J reads no other kind of key from a PEM file
    authority = trustme.CA(organization_name=CLIENT_NAME, key_type=rsa)
    authority.cert_pem.write_to_path(folder / CA)
    ends = datetime.now(UTC) + _LIFE
    server = authority.issue_cert("localhost", "127.0.0.1", not_after=ends, key_type=rsa)
    client = authority.issue_cert(
        CLIENT_NAME,
        common_name=CLIENT_NAME,
        organization_name=CLIENT_NAME,
        organization_unit_name=CLIENT_NAME,
        not_after=ends,
        key_type=rsa,
    )
    for leaf, certificate, key in ((server, SERVER, SERVER_KEY), (client, CLIENT, CLIENT_KEY)):
        leaf.cert_chain_pems[0].write_to_path(folder / certificate)
        (folder / key).touch(0o600)  # for our eyes only
        leaf.private_key_pem.write_to_path(folder / key)


def towards(folder: Path, sasl: Sasl) -> Tls:
    """Return how a client speaks TLS to the broker of that folder."""
    tls = folder / FOLDER
    if sasl != "external":
        return Tls(str(tls / CA))
    return Tls(str(tls / CA), str(tls / CLIENT), str(tls / CLIENT_KEY))
