"""The web process as the service holds it: it is given the socket that browsers and senders of FHIR come to, reads the store
on connections of its own, writes through the main process, and is started again where it ended.

A page that takes long, or falls, holds up no message that comes by MLLP: nothing of it runs where those are taken.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import msgspec

from labbridge.children import go_with_the_service
from labbridge.config import Config, split_address
from labbridge.config_oidc import OidcSection
from labbridge.errors import Refused, StoreUnavailable
from labbridge.feed_settings import feed_of
from labbridge.feeds.fhir_intake import serve_intake
from labbridge.model.provider import Provider
from labbridge.model.reference import Reference
from labbridge.model.smart import Client
from labbridge.model.values import Coding
from labbridge.model.work import Arrival, AuditEvent, Feed, Receipt
from labbridge.observe import logs
from labbridge.smart_settings import clients_of, published
from labbridge.store import opening
from labbridge.store.journal import keep_all
from labbridge.store.units import RemoteUnits, SharedUnits, serve_units
from labbridge.store.writer import Writer

RESTART_AFTER_S = 1.0
AT_ONCE = 4  # pages that read the store at the same time
CONNECTIONS = 256
STATUS_WITHIN_S = 2.0  # a service that says nothing for so long is said to be silent

_log = logs.logger("service")


class Settings(msgspec.Struct, frozen=True):
    """What the process has to know. `store`: the URL; `beside`: what the control socket lies beside; `site`: the
    folder of the site's own knowledge; `feeds`: how each feed's messages are read; `languages`: that of each feed's
    comments; `hospital`: who signs people in; `token_url`, `clients`: of SMART, as server; `published`: our public keys,
    as client."""

    store: str
    beside: str
    hosts: frozenset[str]
    behind_tls: bool
    idle_s: float
    longest_s: float
    signing_s: float
    undo_s: float
    json_logs: bool
    site: str = ""
    feeds: tuple[Feed, ...] = ()
    languages: dict[str, str] = {}
    hospital: Provider | None = None
    test: bool = False
    token_url: str = ""
    clients: tuple[Client, ...] = ()
    published: tuple[Mapping[str, Any], ...] = ()


def settings_of(config: Config, json_logs: bool) -> Settings:
    host, _port = split_address(config.web.listen)
    public = urlsplit(config.fhir.public_url).hostname
    named = {one.lower() for one in (host, *config.web.hosts, public) if one}
    return Settings(
        opening.absolute(config.store.url),
        os.path.abspath(config.store.beside),
        frozenset(named),
        config.web.behind_tls,
        config.web.idle_s,
        config.web.longest_s,
        config.web.signing_s,
        config.review.undo_s,
        json_logs,
        os.path.abspath(config.knowledge.site) if config.knowledge.site else "",
        tuple(feed_of(name, section) for name, section in config.feeds.items()),
        {name: config.language_of(name) for name in config.feeds},
        _hospital(config.web.oidc),
        config.web.instance == "test",
        config.fhir.token_url,
        clients_of(config),
        published(config),
    )


def _hospital(section: OidcSection | None) -> Provider | None:
    if section is None:
        return None
    more = section.model_dump(exclude={"client_secret", "client_secret_file"})
    if section.ca_file:
        more["ca_file"] = os.path.abspath(section.ca_file)
    return Provider(client_secret=section.secret(), **more)


class Workbench:
    """One process at a time, on one socket that stays."""

    def __init__(self, config: Config, writer: Writer, json_logs: bool) -> None:
        self._address, self._drain_s = config.web.listen, config.limits.drain_s
        self._settings, self._writer = settings_of(config, json_logs), writer
        self._process: BaseProcess | None = None
        self._restart: asyncio.TimerHandle | None = None
        self._halted = False

    def halt(self, on: bool) -> None:
        """Keep no FHIR body, or go on: its sender is told to come again."""
        self._halted = on

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """OSError where the address cannot be listened on."""
        with _listening(self._address) as channel:
            self._start(channel)
            _log.info("workbench_listening", port=channel.getsockname()[1])
            try:
                yield
            finally:
                if self._restart is not None:
                    self._restart.cancel()
                process, self._process = self._process, None
                if process is not None:
                    process.terminate()
                    await asyncio.to_thread(process.join, self._drain_s)
                    process.kill()

    def _start(self, channel: socket.socket) -> None:
        context = multiprocessing.get_context("spawn")
        units, its_units = context.Pipe()
        intake, its_intake = context.Pipe()
        process = context.Process(  # no daemon: it has the readers of FHIR bodies for children
            target=_run, args=(self._settings, channel, its_units, its_intake), name="labbridge-web", daemon=False
        )
        process.start()
        its_units.close()
        its_intake.close()
        serve_units(units, self._writer)
        serve_intake(intake, self._keep)
        self._process = process
        asyncio.get_running_loop().add_reader(process.sentinel, self._ended, process, channel)

    def _keep(self, wanted: Sequence[tuple[Arrival, AuditEvent]]) -> list[Receipt]:
        if self._halted:
            raise StoreUnavailable("There is no room on the disk")
        receipts: list[Receipt] = self._writer.submit(lambda connection: keep_all(connection, wanted)).result()
        return receipts

    def _ended(self, process: BaseProcess, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(process.sentinel)
        if self._process is process:
            _log.error("workbench_ended", code=str(process.exitcode))
            self._restart = loop.call_later(RESTART_AFTER_S, self._start, channel)


def _listening(address: str) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    channel = socket.socket(family, socket.SOCK_STREAM)
    try:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        channel.bind((host, port))
    except OSError:
        channel.close()
        raise
    channel.listen(CONNECTIONS)
    return channel


# ---------------------------------------------------------------- the process


def _run(settings: Settings, channel: socket.socket, units: Connection, intake: Connection) -> None:
    """Body of the process: until the main process asks it to stop, or goes."""
    import uvicorn

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logs.configure(json=settings.json_logs)
    go_with_the_service()
    config = uvicorn.Config(
        _with_fhir(settings, intake, _application(settings, units)),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_tls,
        forwarded_allow_ips="127.0.0.1,::1",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[channel])


def _application(settings: Settings, units: Connection) -> Any:
    from labbridge.ordering import RankingOnDemand
    from labbridge.processing import SystemClock
    from labbridge.sources import ItemsOnDemand, RulesOnDemand
    from labbridge.suggest import SuggestionsOnDemand
    from labbridge.web.application import application
    from labbridge.web.parts import LOCAL, Parts
    from labbridge.web.throttle import Throttle
    from labbridge.web.visits import Ages

    meanings, reference = _knowledge(settings.site)
    writer = SharedUnits(RemoteUnits(units))
    parts = Parts(
        **_stores(settings.store, writer),
        feeds={feed.name: feed for feed in settings.feeds},
        act=_acting(Path(settings.beside)),
        clock=SystemClock(),
        ages=Ages(*(timedelta(seconds=one) for one in (settings.idle_s, settings.longest_s, settings.signing_s))),
        throttle=Throttle(monotonic),
        undo_s=settings.undo_s,
        hosts=LOCAL | settings.hosts,
        meanings=meanings,
        reference=reference,
        rules=RulesOnDemand(settings.site),
        ranking=RankingOnDemand(),
        items=ItemsOnDemand(settings.site),
        suggestions=SuggestionsOnDemand(settings.site),
        hospital=_openid(settings.hospital),
        smart=_smart(settings, writer),
        test=settings.test,
    )
    return application(parts)


def _smart(settings: Settings, writer: SharedUnits) -> Any:
    """Whom SMART clients prove themselves to; None where there is nobody to prove anything to."""
    if not settings.clients and not settings.published:
        return None
    from labbridge.store.grants import StoreGrants
    from labbridge.web.authorizing import A_SECOND, Smart
    from labbridge.web.parts import Pool
    from labbridge.web.throttle import Throttle

    grants = Pool(lambda: StoreGrants(opening.reader(settings.store), writer), AT_ONCE)
    clients = {client.name: client for client in settings.clients}
    return Smart(clients, settings.token_url, grants, Throttle(monotonic, A_SECOND), settings.published)


def _with_fhir(settings: Settings, intake: Connection, pages: Any) -> Any:
    """The pages, and before them the address of FHIR: what is held is read there whichever wire it came by; bodies are taken
    where there are feeds of them."""
    from labbridge.feeds.fhir_http import FhirEndpoint
    from labbridge.feeds.fhir_http import Parts as FhirParts
    from labbridge.feeds.fhir_intake import RemoteIntake
    from labbridge.feeds.fhir_readers import FhirReaders
    from labbridge.processing import SystemClock
    from labbridge.programs import Programs

    every = {feed.name: feed for feed in settings.feeds}
    feeds = {name: feed for name, feed in every.items() if feed.kind == "fhir"}
    readers, clock = FhirReaders(feeds), SystemClock()
    if feeds:
        readers.begin()
    programs = Programs(pages.parts.people, every, clock, pages.parts.smart)
    reading = _reading(settings, every, pages, clock)
    return FhirEndpoint(FhirParts(feeds, programs.admitted, readers, RemoteIntake(intake), clock, reading), pages)


def _reading(settings: Settings, feeds: dict[str, Feed], pages: Any, clock: Any) -> Any:
    """What programs read by FHIR, each request on a connection of its own."""
    from labbridge import __version__
    from labbridge.feeds.fhir_reads import Reading
    from labbridge.interpreting import Interpreting
    from labbridge.serving_fhir import Knowing
    from labbridge.store.resources import StoreResources
    from labbridge.web.parts import Pool

    def noted(events: Sequence[AuditEvent]) -> None:
        with pages.parts.people() as people:
            people.noted(*events)

    knowing = Knowing(_comment_code(settings.site), pages.parts.meanings)
    return Reading(
        feeds=feeds,
        held=Pool(lambda: StoreResources(opening.reader(settings.store)), AT_ONCE),
        noted=noted,
        knowing=knowing,
        interpret=Interpreting(settings.site, settings.languages),
        clock=clock,
        software=__version__,
        token_url=settings.token_url if settings.clients else "",
    )


def _comment_code(site: str) -> tuple[Coding, ...]:
    """Where the knowledge cannot be read now, what our comments are is said in FHIR without a code."""
    from labbridge.sources import KnowledgeError, comment_code

    try:
        return comment_code(site)
    except (KnowledgeError, OSError):
        return ()


def _stores(url: str, writer: SharedUnits) -> dict[str, Any]:
    """What the pages read, by its name in Parts; each on connections of its own."""
    from labbridge.store.approvals import StoreApprovals
    from labbridge.store.bench import StoreBench
    from labbridge.store.changes import StoreChanges
    from labbridge.store.deliveries import StoreDeliveries
    from labbridge.store.messages import StoreMessages
    from labbridge.store.people import StorePeople
    from labbridge.store.replays import StoreReplays
    from labbridge.store.shift import StoreShift
    from labbridge.store.status import StoreStatus
    from labbridge.store.unmapped import StoreUnmapped
    from labbridge.web.parts import Pool

    return {
        "people": Pool(lambda: StorePeople(opening.reader(url), writer), AT_ONCE),
        "cases": Pool(lambda: StoreBench(opening.reader(url)), AT_ONCE),
        "messages": Pool(lambda: StoreMessages(opening.reader(url)), AT_ONCE),
        "deliveries": Pool(lambda: StoreDeliveries(opening.reader(url)), AT_ONCE),
        "status": Pool(lambda: StoreStatus(opening.reader(url)), 1),
        "replays": Pool(lambda: StoreReplays(opening.reader(url)), 1),
        "changes": Pool(lambda: StoreChanges(opening.reader(url)), 1),
        "unmapped": Pool(lambda: StoreUnmapped(opening.reader(url)), 1),
        "approvals": Pool(lambda: StoreApprovals(opening.reader(url)), 1),
        "shift": Pool(lambda: StoreShift(opening.reader(url), writer), 1),
    }


def _acting(beside: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Acts of a person, where the store is written."""
    from labbridge.control import ANSWER_WITHIN_S, ask

    def act(request: dict[str, Any]) -> dict[str, Any]:
        within_s = STATUS_WITHIN_S if request.get("command") == "status" else ANSWER_WITHIN_S
        try:
            answer = ask(beside, request, within_s)
        except Refused as late:
            return {"ok": False, "error": str(late)}
        except OSError:
            answer = None
        return answer or {"ok": False, "error": "The service is not there; nothing was done"}

    return act


def _openid(provider: Provider | None) -> Any:
    if provider is None:
        return None
    from labbridge.web.oidc import OpenId

    return OpenId(provider, monotonic)


def _knowledge(site: str) -> tuple[dict[str, str], Reference]:
    """What flags mean, and what a page shows of pathway and policy. Where the knowledge cannot be read now, the codes have
    to do: no page waits for its repair."""
    from labbridge.sources import KnowledgeError, meanings_of, read_all, reference_of

    try:
        texts = read_all(site)
    except (KnowledgeError, OSError):
        return {}, Reference()
    return meanings_of(texts), reference_of(texts)
