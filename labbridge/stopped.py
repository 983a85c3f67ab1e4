"""A person's acts on the store of a stopped service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.processing import SystemClock
from labbridge.sources import read_all
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.store.people import StorePeople
from labbridge.store.units import LocalUnits
from labbridge.store.writer import Writer


@contextmanager
def acts_on(config: Config) -> Iterator[Acts]:
    """StoreRefused while another process writes the store."""
    with opening.held(config.store.url) as store:
        writer = Writer(store.writer())
        reader = opening.reader(config.store.url)
        people = StorePeople(reader, LocalUnits(writer))
        try:
            acts = Acts(config, (), StoreDesk(writer, reader), SystemClock(), people)
            acts.take(read_all(config.knowledge.site))
            yield acts
        finally:
            reader.close()
            writer.close()
