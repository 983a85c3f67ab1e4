"""The composition root: configuration, knowledge, store, feeds, processing, delivery; start, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from labbridge import __version__, anchoring, gate, heartbeat, processing, sections
from labbridge.acts import Acts
from labbridge.beside import Beside
from labbridge.certificates import Certificates
from labbridge.config import Config, FeedSection, split_address
from labbridge.control import ControlServer
from labbridge.delivering import Deliveries
from labbridge.errors import StoreUnavailable
from labbridge.feed_settings import feed_of, mllp_feeds
from labbridge.feeds.mllp import MllpServer
from labbridge.feeds.slots import Slots
from labbridge.judging import JudgeProcess
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Source
from labbridge.listening import handlers
from labbridge.membership import Membership, node_of
from labbridge.memory import cycles_are_sought_seldom, large_blocks_go_back
from labbridge.observe import logs
from labbridge.observe.admin import AdminServer, Readiness
from labbridge.observe.exposition import Exposition
from labbridge.observe.standing import standing
from labbridge.observe.traffic import GIVEN, Traffic
from labbridge.polling import Views
from labbridge.processing import SystemClock
from labbridge.reloading import Reloading, with_certificates
from labbridge.room import Room
from labbridge.sources import read_all
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.store.journal import StoreIntake
from labbridge.store.nodes import Node
from labbridge.store.outbox import StoreOutbox
from labbridge.store.people import StorePeople
from labbridge.store.scraped import scraped
from labbridge.store.sqlite import SqliteStatus, StoreLock, status
from labbridge.store.units import LocalUnits
from labbridge.store.writer import Writer
from labbridge.supervising import Supervisor
from labbridge.workbench import Workbench

Role = Literal["listen", "process", "deliver", "web", "all"]
ANOTHERS_FOLDER = "Another labbridge service has its control socket there; name a folder of its own in [store] folder"
FORCED = 75  # EX_TEMPFAIL: what was in hand is taken up at the next start
PROBE = (
    "INSERT INTO tally(name, labels, count) VALUES ('probe', '', 1)"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = tally.count + 1"
)

_log = logs.logger("service")


def serve(config: Config, role: Role, json_logs: bool) -> None:
    """Run until SIGTERM or SIGINT, then drain. StoreRefused, StoreUnavailable, KnowledgeError and OSError leave
    before a port opens."""
    logs.configure(json=json_logs)
    large_blocks_go_back()
    feeds = heartbeat.with_heartbeat(config, [feed_of(name, section) for name, section in config.feeds.items()])
    languages = {name: config.language_of(name) for name in config.feeds}
    node = node_of(config, role)
    settings = processing.Settings(
        opening.absolute(config.store.url),
        config.knowledge.site,
        feeds,
        config.application,
        json_logs,
        languages,
        node.instance if node is not None else "",
    )
    gate.check(config, SystemClock().now())
    certificates = Certificates(config, SystemClock())
    with _store(config, node) as store:
        texts = gate.enough(read_all(config.knowledge.site), config)
        reader = processing.reader_of(settings, texts) if role in ("process", "all") else None
        cycles_are_sought_seldom()
        worker = processing.fork(settings, reader, store.files) if reader is not None else None
        writer = Writer(store.writer(), on_fatal=_stop_at_once)
        supervisor = (
            Supervisor(settings, texts, worker, writer, drain_s=config.limits.drain_s) if worker is not None else None
        )
        try:
            workbench = Workbench(config, writer, json_logs) if config.web.listen and role in ("web", "all") else None
            asyncio.run(Service(config, role, texts, writer, supervisor, certificates, workbench, node).run())
        finally:
            writer.close()


@contextlib.contextmanager
def _store(config: Config, node: Node | None) -> Iterator[opening.Held]:
    """The store, and of a server's also the folder of this service alone."""
    with contextlib.ExitStack() as entered:
        if node is None:
            yield entered.enter_context(opening.held(config.store.url))
            return
        folder = entered.enter_context(StoreLock(config.store.beside, ANOTHERS_FOLDER))
        strict = config.store.durability == "strict"
        held = entered.enter_context(opening.held(config.store.url, node, strict=strict))
        yield msgspec.structs.replace(held, files=(*held.files, folder.file))


def _stop_at_once() -> None:
    """The database cannot be trusted any more: end, so that a start re-reads it (reliability.md T-24)."""
    _log.critical("store_fatal")
    os._exit(70)


class Service:
    """Everything that runs between start and stop."""

    def __init__(
        self,
        config: Config,
        role: Role,
        texts: Sequence[Source],
        writer: Writer,
        supervisor: Supervisor | None,
        certificates: Certificates,
        workbench: Workbench | None = None,
        node: Node | None = None,
    ) -> None:
        self._config, self._role, self._certificates, self._workbench = config, role, certificates, workbench
        self._writer, self._supervisor = writer, supervisor
        self._ruleset = version(texts) if supervisor is not None else ""
        self._clock = SystemClock()
        self._since = self._clock.now()
        self._reader = opening.reader(config.store.url)
        self._scrapes = opening.reader(config.store.url)
        self._membership = Membership(config, role, node, writer, self._woken)
        leases = self._membership.leases
        self._intake = StoreIntake(writer)
        self._desk = StoreDesk(writer, self._reader)
        self._judge = JudgeProcess()
        people = StorePeople(self._reader, LocalUnits(writer))
        self._acts = Acts(config, (), self._desk, self._clock, people, judge=self._judge)
        self._acts.take(texts)
        self._reloading, self._beside = self._by_knowledge(texts, supervisor)
        self._sqlite: SqliteStatus | None = status() if config.store.file else None
        self._deliveries = Deliveries(config, StoreOutbox(writer, leases), leases, self._clock)
        self._traffic = Traffic(certificates.expiries, certificates.reloads)
        self._traffic.commits, self._traffic.since = writer.took, self._since.timestamp()
        self._room = Room(config.store.file, config.limits.disk_free_bytes, self._traffic)
        self._views = Views(config, role, writer, self._traffic, leases)
        self._anchoring = anchoring.of(config, self._clock, writer.node)
        self._stage, self._drain_by = "starting", 0.0
        self._asked: set[signal.Signals] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def _by_knowledge(
        self, texts: Sequence[Source], supervisor: Supervisor | None
    ) -> tuple[Reloading | None, Beside | None]:
        """What there is where messages are processed."""
        if supervisor is None:
            return None, None
        config, parts = self._config, (self._judge, self._clock, self._wake)
        reloading = Reloading(config.knowledge.site, supervisor, self._desk, self._clock, self._taken)
        beside = Beside(config, texts, self._desk, self._acts, parts, reloading.reload, self._membership)
        return reloading, beside

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = self._loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop_asked, name, stop)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        if self._sqlite is not None and self._sqlite.single_writer_mode:
            _log.warning("single_writer_mode", version=self._sqlite.version)
        async with contextlib.AsyncExitStack() as parts:
            for part in (
                self._anchors,
                self._control,
                self._admin,
                self._nodes,
                self._processing,
                self._delivery,
                self._watching,
                self._listening,
                self._views.running,
                self._pages,
            ):
                await parts.enter_async_context(part())
            self._stage = "running"
            _log.info("ready", version=__version__)
            await stop.wait()
            self._stage, self._drain_by = "draining", loop.time() + self._config.limits.drain_s
            self._deliveries.stop()  # each has the time of the drain for its answer
            if self._reloading is not None and self._beside is not None:
                self._reloading.stop()
                self._beside.stop()
            _log.info("draining")
        _log.info("stopped")

    def _stop_asked(self, name: signal.Signals, stop: asyncio.Event) -> None:
        """A signal drains; the same one again ends at once. What was not answered stays with its sender."""
        if name in self._asked:
            _log.critical("stop_forced")
            os._exit(FORCED)
        self._asked.add(name)
        stop.set()

    # ---------------------------------------------------------------- parts, each started and stopped in its turn

    def _anchors(self) -> contextlib.AbstractAsyncContextManager[None]:
        return self._anchoring.running(self._config.store.url) if self._anchoring else contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def _control(self) -> AsyncIterator[None]:
        async def handle(request: dict[str, Any]) -> dict[str, Any]:
            answer = await asyncio.to_thread(self._acts.perform, request)
            self._wake()
            return answer

        apart = {"reload": self._reload, "knowledge": self._in_force, "status": self._status}
        apart |= {"replay": self._perform_beside, "change": self._perform_beside}
        server = ControlServer(self._config.store.beside, handle, apart)
        await server.start()
        yield
        await server.stop()
        await asyncio.to_thread(self._judge.close)

    def _wake(self) -> None:
        self._deliveries.wake()

    def _woken(self) -> None:
        """Another node has committed, or our share is another: from any thread."""
        if self._supervisor is not None:
            self._supervisor.wake()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _nodes(self) -> contextlib.AbstractAsyncContextManager[None]:
        return self._membership.running(self._part_ended)

    async def _reload(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._stage != "running":
            return {"ok": False, "error": f"The service is {self._stage}; ask again once it runs"}
        renewed = await self._certificates.renew()
        if self._reloading is not None:
            answer = await self._reloading.perform(request)
        else:
            answer = {"ok": False, "error": "This service was started without processing: it works by no knowledge"}
        return with_certificates(answer, renewed.taken, renewed.faults)

    async def _perform_beside(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._beside is None or self._stage != "running":
            return {"ok": False, "error": f"The service is {self._stage}, or works by no knowledge"}
        return await self._beside.perform(request)

    async def _in_force(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "in_force": self._ruleset}

    async def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        found = standing(self._traffic, since=self._since, stage=self._stage, role=self._role, knowledge=self._ruleset)
        return {"ok": True, "standing": msgspec.to_builtins(found)}

    def _hung_up(self) -> None:
        """SIGHUP is `labbridge reload` for who has no terminal."""
        if self._stage != "running":
            return
        self._renewal = asyncio.get_running_loop().create_task(self._certificates.renew())
        self._renewal.add_done_callback(self._part_ended)
        if self._reloading is not None:
            self._reloading.signalled()

    @contextlib.asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        """Renewed certificates are taken in without being told; reading pauses where the disk has no room."""
        self._certificates.warn()
        self._room.look()
        beats = heartbeat.of(self._config, self._role, self._traffic, self._clock)
        watches = [self._certificates.watch(), self._room.watch(), *(one.run() for one in beats)]
        watches += self._beside.runs() if self._beside else []
        tasks = [asyncio.create_task(one) for one in watches]
        for task in tasks:
            task.add_done_callback(self._part_ended)
        yield
        for task in tasks:
            task.cancel()

    def _taken(self, texts: Sequence[Source]) -> None:
        """Other knowledge has come into force: the code our comments carry is part of it, and who calls about what."""
        self._ruleset = version(texts)
        if self._beside is not None:
            self._beside.taken(texts)
        self._acts.take(texts)

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[None]:
        exposition = Exposition(partial(scraped, self._scrapes), self._traffic, self._about, self._clock)
        server = AdminServer(exposition, self._ready)
        host, port = split_address(self._config.admin.listen)
        bound = await server.start(host, port)
        _log.info("admin_listening", port=bound)
        yield
        await server.stop()

    def _about(self) -> tuple[str, str, str, bool]:
        single = self._sqlite is not None and self._sqlite.single_writer_mode
        return __version__, self._ruleset, platform.python_version(), single

    async def _ready(self) -> Readiness:
        """Ready: everything listens, a real write was committed, and there is room on the disk."""
        if self._stage != "running":
            return Readiness(False, self._stage)
        try:
            probe = self._writer.submit_soon(lambda connection: connection.execute(PROBE), asyncio.get_running_loop())
            await asyncio.wait_for(probe, 2.0)
        except (StoreUnavailable, TimeoutError):
            return Readiness(False, "store_unavailable")
        if self._traffic.reading_paused or self._room.low():
            return Readiness(False, "disk_low")
        return Readiness(True, self._views.code)

    @contextlib.asynccontextmanager
    async def _processing(self) -> AsyncIterator[None]:
        if self._supervisor is None or self._reloading is None or self._beside is None:
            yield
            return
        self._stage = "recovering"
        await self._beside.started()
        await self._reloading.started()
        self._supervisor.start()
        yield
        await self._supervisor.stop()

    @contextlib.asynccontextmanager
    async def _delivery(self) -> AsyncIterator[None]:
        if self._role not in ("deliver", "all"):
            yield
            return
        async with self._deliveries.running(
            self._certificates, self._traffic, self._part_ended, lambda: self._drain_by
        ):
            yield

    def _part_ended(self, task: asyncio.Task[Any]) -> None:
        """A bug in delivery or in a watch ends the service, so that its supervisor starts it again: nothing may stop
        silently."""
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        assert error is not None
        _log.critical("part_failed", error=type(error).__name__, place=logs.place(error))
        if self._stage != "draining":
            os.kill(os.getpid(), signal.SIGTERM)

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        servers: list[MllpServer] = []
        slots = Slots(sections.limits(self._config.limits))
        if self._role in ("listen", "all"):
            for name, section in mllp_feeds(self._config):
                server = self._server(name, section, slots)
                self._room.admit(server)
                await server.start(*split_address(section.listen))
                self._traffic.listens(name, server, plaintext=section.plaintext)
                servers.append(server)
                _log.info("listening", feed=name, port=server.address[1])
        yield
        await asyncio.gather(*(server.drain() for server in servers))

    @contextlib.asynccontextmanager
    async def _pages(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as running:
            if self._workbench is not None:
                self._room.admit(self._workbench)
                await running.enter_async_context(self._workbench.running())
            yield

    def _server(self, name: str, section: FeedSection, slots: Slots) -> MllpServer:
        names = section.tls.client_names if section.tls is not None else ()
        answered = partial(self._traffic.answered, name, GIVEN)
        server = MllpServer(
            handlers(feed_of(name, section), self._intake, self._clock),
            sections.limits(self._config.limits),
            section.peers,
            answered=answered,
            client_names=names,
            name=name,
            slots=slots,
            proxies=section.proxies,
        )
        server.tls = self._certificates.context(f"feeds.{name}.tls", partial(setattr, server, "tls"))
        return server
