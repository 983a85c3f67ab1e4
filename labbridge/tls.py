"""TLS contexts from the files of the configuration: 1.2 and 1.3, verification that cannot be turned off, and one sentence
with the key, the file and the repair for everything that is wrong."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec

from labbridge.config import ConfigError, FeedTlsSection, ReceiverTlsSection

if TYPE_CHECKING:
    from cryptography import x509

FILES = ("certificate", "key", "client_ca", "crl", "ca")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CRL = b"-----BEGIN X509 CRL-----"

Section = FeedTlsSection | ReceiverTlsSection
One = TypeVar("One")


class Loaded(msgspec.Struct, frozen=True):
    """A context that works, and when what it rests on ends (UTC), by key of the section."""

    context: ssl.SSLContext
    expires: dict[str, datetime]


class _PasswordWanted(Exception):
    """The key file is encrypted."""


def listener(place: str, section: FeedTlsSection, now: datetime) -> Loaded:
    """What a feed's handshakes use. `place` is the section's name (feeds.NAME.tls). ConfigError for a wrong file."""
    files = _Files(place, section, now)
    context = _context(ssl.PROTOCOL_TLS_SERVER, section)
    context.num_tickets = 0  # each connection is verified: none takes up an older one's session
    files.own(context)
    if section.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        files.authorities(context, "client_ca")
    if section.crl:
        files.revoked(context, "crl", "client_ca")
    return Loaded(context, files.expires)


def client(place: str, section: ReceiverTlsSection, now: datetime) -> Loaded:
    """What a connection to a receiver uses. The receiver is always verified. ConfigError for a wrong file."""
    files = _Files(place, section, now)
    context = _context(ssl.PROTOCOL_TLS_CLIENT, section)
    if section.ca:
        files.authorities(context, "ca")
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if section.certificate:
        files.own(context)
    return Loaded(context, files.expires)


def contents(section: Section) -> str:
    """A digest of the files of a section: another one means that something was put there."""
    found = hashlib.sha256()
    for name in FILES:
        path = getattr(section, name, "")
        try:
            data = Path(path).read_bytes() if path else b""
        except OSError as fault:
            data = type(fault).__name__.encode()
        found.update(b"%d:" % len(data) + data)
    return found.hexdigest()


def _context(protocol: ssl._SSLMethod, section: Section) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = VERSIONS[section.minimum_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority in the file is one, whoever signed it
    return context


class _Files:
    """The files of one section, each read, understood and in date."""

    def __init__(self, place: str, section: Section, now: datetime) -> None:
        self.expires: dict[str, datetime] = {}
        self._place, self._section, self._now = place, section, now

    def own(self, context: ssl.SSLContext) -> None:
        """Certificate and key."""
        leaf = self._certificates("certificate")[0]
        self._in_date("certificate", leaf.not_valid_before_utc, leaf.not_valid_after_utc, "put a renewed one there")
        if b"PRIVATE KEY" not in self._read("key"):
            self._refuse("key", "holds no private key in PEM form", "name the file with BEGIN PRIVATE KEY")
        try:
            context.load_cert_chain(self._section.certificate, self._section.key, _no_password)
        except _PasswordWanted:
            self._refuse("key", "is encrypted", "keys with a password are not supported; decrypt it with openssl pkey")
        except (ssl.SSLError, OSError) as fault:
            if getattr(fault, "reason", "") in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
                self._refuse("key", "does not belong to the certificate", "name the key it was made with")
            self._refuse("key", f"and the certificate are not taken by OpenSSL ({_reason(fault)})", "renew both")

    def authorities(self, context: ssl.SSLContext, name: str) -> None:
        """Those whose signature counts; at least one of them in date."""
        found = self._certificates(name)
        last = max(found, key=lambda one: one.not_valid_after_utc)
        self._in_date(name, last.not_valid_before_utc, last.not_valid_after_utc, "put a valid one there")
        self._take(context, name)

    def revoked(self, context: ssl.SSLContext, name: str, authorities: str) -> None:
        """What the authorities took back. A list out of date refuses everyone, so it does not come into force."""
        from cryptography import x509

        known = {one.subject for one in self._certificates(authorities)}
        parts = [_CRL + part for part in self._read(name).split(_CRL)[1:]]
        lists = self._understood(name, lambda: [x509.load_pem_x509_crl(part) for part in parts], "revocation list")
        for one in lists:
            if one.issuer not in known:
                self._refuse(name, f"is of another authority than {authorities}", "name the list of that authority")
            if one.next_update_utc is not None:
                self._in_date(name, one.last_update_utc, one.next_update_utc, "put the authority's newest list there")
        self._take(context, name)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    def _take(self, context: ssl.SSLContext, name: str) -> None:
        try:
            context.load_verify_locations(getattr(self._section, name))
        except (ssl.SSLError, OSError) as fault:
            self._refuse(name, f"is not taken by OpenSSL ({_reason(fault)})", "export it again as PEM")

    def _certificates(self, name: str) -> Sequence[x509.Certificate]:
        from cryptography import x509

        data = self._read(name)
        return self._understood(name, lambda: x509.load_pem_x509_certificates(data), "certificate")

    def _understood(self, name: str, read: Callable[[], Sequence[One]], what: str) -> Sequence[One]:
        try:
            found = read()
        except ValueError:
            found = []
        if not found:
            self._refuse(name, f"holds no {what} in PEM form", "export it as PEM")
        return found

    def _read(self, name: str) -> bytes:
        path = getattr(self._section, name)
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            self._refuse(name, "there is no such file", "name an existing one")
        except PermissionError:
            self._refuse(name, "may not be read by this account", "change the file's permissions")
        except OSError as fault:
            self._refuse(name, f"cannot be read ({fault.strerror})", "name a PEM file")

    def _in_date(self, name: str, begins: datetime, ends: datetime, repair: str) -> None:
        if ends <= self._now:
            self._refuse(name, f"expired on {ends:%Y-%m-%d %H:%M} UTC", repair)
        if begins > self._now:
            self._refuse(name, f"is valid only from {begins:%Y-%m-%d %H:%M} UTC", f"{repair}, or set the clock")
        self.expires[name] = min(ends, self.expires.get(name, ends))

    def _refuse(self, name: str, what: str, repair: str) -> NoReturn:
        raise ConfigError(f"{self._place}.{name}: {getattr(self._section, name)}: {what}; {repair}") from None


def _no_password() -> str:
    raise _PasswordWanted


def _reason(fault: OSError) -> str:
    return getattr(fault, "reason", None) or fault.strerror or type(fault).__name__
