"""SMART as its configuration describes it, for what serves clients and for what is one. The libraries that read keys are
loaded where there are any: a start waits for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labbridge.config import Config, ReceiverSection
from labbridge.model.smart import Client

if TYPE_CHECKING:
    from labbridge.delivery.smart import SmartSettings


def clients_of(config: Config) -> tuple[Client, ...]:
    """The clients that are registered here."""
    return tuple(
        Client(
            name=name,
            jwks_file=os.path.abspath(section.jwks_file),
            feeds=section.feeds,
            scopes=frozenset(" ".join(section.scopes).split()),
        )
        for name, section in config.fhir.clients.items()
    )


def access_settings(section: ReceiverSection) -> SmartSettings:
    """How this service is a client of a receiver's authorization server."""
    from labbridge.delivery.smart import SmartSettings

    assert section.smart is not None
    told = section.smart.model_dump(exclude={"next_key_file"})
    return SmartSettings(**told, networks=section.networks)


def published(config: Config) -> tuple[Mapping[str, Any], ...]:
    """Our own public keys as JWK, each once: the one that is used with each receiver, and the one that follows."""
    files = [path for _key, path in _key_files(config)]
    if not files:
        return ()
    from labbridge.delivery.signing import public, read_key

    found = {one["kid"]: one for one in map(public, map(read_key, files))}
    return tuple(found.values())


def faults(config: Config) -> Iterator[str]:
    """What is wrong with files of keys, each with the setting that names it."""
    checks = [(f"fhir.clients.{name}.jwks_file", Path(one.jwks_file)) for name, one in config.fhir.clients.items()]
    if checks:
        from labbridge.web.assertions import read_keys

        yield from _unreadable(checks, read_keys)
    if files := list(_key_files(config)):
        from labbridge.delivery.signing import read_key

        yield from _unreadable(files, read_key)


def _unreadable(files: Iterable[tuple[str, Path]], read: Callable[[Path], object]) -> Iterator[str]:
    for key, path in files:
        try:
            read(path)
        except ValueError as fault:  # BadKey, BadKeys
            yield f"{key}: {path}: {fault}"


def _key_files(config: Config) -> Iterator[tuple[str, Path]]:
    for name, receiver in config.receivers.items():
        for key in ("key_file", "next_key_file") if receiver.smart is not None else ():
            if path := getattr(receiver.smart, key):
                yield f"receivers.{name}.smart.{key}", Path(path)
