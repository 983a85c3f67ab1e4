"""The start-up gate (reliability.md 6): what must be so of this machine and this configuration before anything is opened.

What concerns one section alone is refused where it is read (config.py), what concerns the database where it is opened
(store/sqlite.py).
"""

from __future__ import annotations

import os
import resource
import socket
import ssl
from collections.abc import Iterator
from datetime import date, datetime
from itertools import combinations
from pathlib import Path

from labbridge import __built__, odbc_settings, smart_settings
from labbridge.config import Config, ConfigError, split_address
from labbridge.config_oidc import loopback
from labbridge.delivery import tokens
from labbridge.feeds.limits import RESERVED_FILES
from labbridge.knowledge.documents import Source
from labbridge.knowledge.ordering import FILE as ORDERS
from labbridge.knowledge.ordering import read_orders

NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs", "ncpfs"}
VOLATILE = {"tmpfs", "ramfs"}
WILDCARDS = {"0.0.0.0", "::", "*"}  # noqa: S104  they are looked for, not bound
MOUNTS = Path("/proc/self/mountinfo")


def check(config: Config, now: datetime) -> None:
    """ConfigError, with one line for each thing that is wrong. Raises the soft limit of open files to what is needed."""
    faults = [*_clock(now), *_addresses(config), *_limits(config), *_folder(config), *_provider(config)]
    faults += [*_tokens(config), *smart_settings.faults(config), *odbc_settings.faults(config)]
    if faults:
        raise ConfigError("\n".join(faults))


def enough(texts: list[Source], config: Config) -> list[Source]:
    """The knowledge, where it says what the configuration asks for. ConfigError where a receiver is to be sent orders and
    no service is named that could be ordered."""
    receivers = [name for name, section in config.receivers.items() if section.retest == "order"]
    if receivers and not read_orders(texts, []):
        repair = 'write one into the folder of knowledge.site, or set retest = "advise"'
        said = f"there is no row in {ORDERS}, so nothing could be ordered; {repair}"
        raise ConfigError("\n".join(f"receivers.{name}.retest: {said}" for name in receivers))
    return texts


def _provider(config: Config) -> Iterator[str]:
    section = config.web.oidc if config.web.listen else None
    if section is None:
        return
    try:
        section.secret()
    except OSError as error:
        yield f"web.oidc.client_secret_file: {section.client_secret_file}: {error.strerror}"
    except ValueError:
        yield f"web.oidc.client_secret_file: {section.client_secret_file}: it holds more than printable ASCII"
    try:
        ssl.create_default_context(cafile=section.ca_file or None)
    except OSError:  # an SSLError is one
        yield f"web.oidc.ca_file: {section.ca_file}: write a PEM file of the authorities that may be read here"


def _tokens(config: Config) -> Iterator[str]:
    for name, section in config.receivers.items():
        try:
            if section.token_file:
                tokens.read(Path(section.token_file))
        except OSError as error:
            yield f"receivers.{name}.token_file: {section.token_file}: {error.strerror}"
        except ValueError as fault:
            yield f"receivers.{name}.token_file: {section.token_file}: {fault}"


def file_system(folder: Path) -> str:
    """The type of the file system a folder is on; empty where the system does not tell."""
    if not MOUNTS.exists():
        return ""
    found, longest = "", -1
    for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        mounted = before.split(" ")[4].encode().decode("unicode_escape")
        if folder.is_relative_to(mounted) and len(mounted) >= longest:  # of two on one point the later one is seen
            found, longest = after.split(" ")[0], len(mounted)
    return found


def _clock(now: datetime) -> Iterator[str]:
    if now.date() < date.fromisoformat(__built__):
        yield f"The clock says {now.date()}, before this version was built ({__built__}); set the machine's clock"


def _addresses(config: Config) -> Iterator[str]:
    own = {f"feeds.{name}.listen": feed.listen for name, feed in config.feeds.items() if feed.kind == "mllp"}
    own |= {"admin.listen": config.admin.listen} | ({"web.listen": config.web.listen} if config.web.listen else {})
    for (key, address), (other, second) in combinations(own.items(), 2):
        if _meet(address, second):
            yield f"{other}: {second} is {key} already; give each a port of its own"
    for name, receiver in config.receivers.items():
        for key, address in own.items():
            if receiver.endpoint and _reaches(receiver.endpoint, address):
                said = f"{receiver.address} is our own {key}: what leaves would come back"
                yield f"receivers.{name}.address: {said}; name the address of the LIS"


def _meet(address: str, second: str) -> bool:
    """True where two listeners would want the same port."""
    (host, port), (other, same) = _plain(address), _plain(second)
    return port == same != 0 and (host == other or bool(WILDCARDS & {host, other}))


def _reaches(address: str, listener: str) -> bool:
    """True where a connection to an address would arrive at a listener of ours."""
    (host, port), (own, same) = _plain(address), _plain(listener)
    if port != same:
        return False
    return host == own or (own in WILDCARDS and (loopback(host) or host in WILDCARDS or _ours(host)))


def _plain(address: str) -> tuple[str, int]:
    host, port = split_address(address)
    return "127.0.0.1" if host == "localhost" else host.lower(), port


def _ours(host: str) -> bool:
    """True where a name or address is one of this machine: only then can it be bound."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(where)
    except OSError:
        return False
    return True


def _limits(config: Config) -> Iterator[str]:
    limits = config.limits
    if limits.frame_bytes > limits.inflight_bytes:
        yield (
            f"limits.frame_bytes: {limits.frame_bytes} is more than limits.inflight_bytes ({limits.inflight_bytes}):"
            " the longest message would never be taken; lower the one or raise the other"
        )
    need = limits.connections + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard) and hard < need:
        yield (
            f"limits.connections: {limits.connections} connections need {need} open files, and this process may have"
            f" {hard}; lower it, or raise LimitNOFILE (ulimit -n)"
        )
    elif soft != resource.RLIM_INFINITY and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def _folder(config: Config) -> Iterator[str]:
    if config.store.file is None:
        return
    folder = config.store.file.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    kind = file_system(folder)
    if not writable:
        yield f"store.url: {folder} cannot be written by this account; change its owner, or name another folder"
    elif kind in NETWORK:
        yield f"store.url: {folder} is on {kind}, where locks cannot be trusted; name a folder on a disk of this machine"
    elif kind in VOLATILE and not config.store.volatile:
        yield (
            f"store.url: {folder} is on {kind} and is gone after a restart of the machine; name a folder on a disk,"
            " or set store.volatile = true for a trial"
        )
