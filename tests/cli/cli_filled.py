"""A store as a service would have left it: the samples, one of them twice, and a message that cannot be read."""

from __future__ import annotations

from pathlib import Path

from cli_run import SAMPLES

from labbridge import pipeline
from labbridge.config import load as load_config
from labbridge.feed_settings import feed_of
from labbridge.model.work import Feed
from labbridge.pipeline import Peer
from labbridge.processing import Settings, SystemClock, reader_of
from labbridge.store.journal import StoreIntake
from labbridge.store.sqlite import open_reader, open_writer
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

FILES = ("01-concordant-srp/1b-serology.hl7", "01-concordant-srp/1a-ck.hl7", "04-low-positive-blot/1a-serology.hl7")
BAD = b"MSH|^~\\&|MYOLIS|LABA|LB|LABA|20261113||ORU^R01|BAD1|P|2.5.1\rPID|1||PT9^^^LABA^MR||SECRET^NAME\r"


async def fill(where: Path) -> None:
    settings = load_config(where)
    feed: Feed = feed_of("myolis", settings.feeds["myolis"])
    reader = reader_of(Settings(settings.store.url, settings.knowledge.site, (feed,), "LABBRIDGE", True))
    writer = Writer(open_writer(settings.store.beside))
    intake, clock = StoreIntake(writer), SystemClock()
    raws = [(SAMPLES / name).read_bytes().replace(b"\n", b"\r") for name in FILES]
    for raw in (*raws, raws[0], BAD):
        await pipeline.receive(raw, Peer(feed, "127.0.0.1"), intake, clock)
    work = StoreWork(open_reader(settings.store.beside), LocalUnits(writer))
    while pipeline.run_once(work, reader, clock):
        pass
    writer.close()
