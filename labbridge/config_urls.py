"""The base URL of a FHIR server, as a configuration may name one: a scheme, a host, a port, a path, and nothing else."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from labbridge.config_oidc import loopback

PORTS = {"https": 443, "http": 80}


def base_url(text: str) -> str:
    """The URL without a slash at its end. ValueError with the repair for anything that could be read in two ways: user
    information, a query, an address in another notation than the usual one (`0x7f.1`, `2130706433`), a dot at the end."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as fault:
        raise ValueError("write a URL, for example https://fhir.hospital.example/r4") from fault
    host = parts.hostname or ""
    odd = parts.query or parts.fragment or "@" in parts.netloc or not text.isascii() or not text.isprintable()
    odd = odd or "%" in parts.netloc
    if parts.scheme not in PORTS or not host or odd or set(text) & set(" \\") or port == 0:
        raise ValueError("write https://HOST[:PORT]/PATH, without user, query or fragment")
    if not _plain_host(host):
        raise ValueError("write the host as a name without a dot at its end, or as an address in its usual notation")
    if parts.scheme == "http" and not loopback(host):
        raise ValueError("http is taken for this machine alone (127.0.0.1, ::1, localhost); write https")
    return text.rstrip("/")


def endpoint(url: str) -> str:
    """HOST:PORT that a base URL leads to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or PORTS[parts.scheme]}"


def _plain_host(host: str) -> bool:
    """A name, or an address as it is usually written. A name whose last part is a number is taken for an address by some
    resolvers, and by others not."""
    last = host.rpartition(".")[2]
    if ":" not in host and not (last.isdigit() or last.lower().startswith("0x")):
        return bool(last) and all(host.split("."))
    try:
        return str(ipaddress.ip_address(host)) == host.lower()
    except ValueError:
        return False
