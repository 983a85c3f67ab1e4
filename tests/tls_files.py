"""A small authority that makes certificates, keys and revocation lists as files, good ones and wrong ones."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def today() -> datetime:
    return datetime.now(UTC)


class Authority:
    """`file` is its certificate."""

    def __init__(self, folder: Path, name: str = "ca", ends: timedelta = 90 * DAY) -> None:
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _begun(self._subject, self._subject, self._key.public_key(), ends)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = made.sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(PEM))

    def issue(
        self,
        name: str,
        sans: Sequence[str] = ("IP:127.0.0.1",),
        ends: timedelta = 30 * DAY,
        password: bytes = b"",
        more: Sequence[x509.ExtensionType] = (),
    ) -> Pair:
        """A certificate with CN = `name` and these names (IP:, URI:, else DNS), and its key, in files called `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _begun(subject, self._subject, key.public_key(), ends)
        if sans:
            made = made.add_extension(x509.SubjectAlternativeName([_san(one) for one in sans]), critical=False)
        for extension in more:
            made = made.add_extension(extension, critical=False)
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key", made.sign(self._key, hashes.SHA256()))
        pair.certificate.write_bytes(pair.read.public_bytes(PEM))
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pair.key.write_bytes(key.private_bytes(PEM, PKCS8, hidden))
        return pair

    def revoke(self, *revoked: Pair, ends: timedelta = 7 * DAY) -> Path:
        """The authority's revocation list, with these on it."""
        begins = min(today(), today() + ends) - DAY
        made = x509.CertificateRevocationListBuilder().issuer_name(self._subject).last_update(begins)
        made = made.next_update(today() + ends)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.read.serial_number).revocation_date(begins)
            made = made.add_revoked_certificate(entry.build())
        path = self.folder / f"{self.name}.crl"
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        return path


class Pair:
    """A certificate and its key."""

    def __init__(self, certificate: Path, key: Path, read: x509.Certificate) -> None:
        self.certificate, self.key, self.read = certificate, key, read

    def replace(self, other: Pair) -> None:
        """Put another's bytes into these files, as a renewal does."""
        self.key.write_bytes(other.key.read_bytes())
        self.certificate.write_bytes(other.certificate.read_bytes())
        self.read = other.read

    def toml(self) -> str:
        return f'certificate = "{self.certificate}"\nkey = "{self.key}"\n'


def client_side(authority: Authority | None, pair: Pair | None = None) -> ssl.SSLContext:
    """A client that trusts an authority, and shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is not None:
        context.load_verify_locations(authority.file)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def server_side(pair: Pair, clients: Authority | None = None) -> ssl.SSLContext:
    """A server with a certificate, and with an authority whose certificate it asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.file)
    return context


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends: timedelta
) -> x509.CertificateBuilder:
    begins = min(today(), today() + ends) - DAY
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return made.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(today() + ends)


def _san(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    if kind == "URI":
        return x509.UniformResourceIdentifier(value)
    return x509.DNSName(text)
