"""Peers that are half open, many, slow or hostile: T-40, T-41, T-43, T-45, T-47."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import threading
import time

from tests.faults import journal, wire
from tests.faults.client import Client
from tests.faults.messages import START, Message, plain, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import free_port, until
from tests.faults.world import World
from tests.tls_files import Authority

MEMORY_MB, TIMES_AS_SLOW = 512, 3.0
REFUSED = re.compile(r"^labbridge_feed_connections_refused_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)
ADMIT = "[limits]\nconnections = 4000\nconnections_per_address = 64\nframe_timeout_s = 5\n"


def half_open(run: Run) -> Outcome:
    """T-40. Peers that fall silent within a message and never end it: their files come back. A LIS behind a line that
    swallows everything: given up after its time, and delivered to once the line is back."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched, extra="[limits]\nframe_timeout_s = 1\n", timeout_s=1) as world:
        lis = world.service.receivers["lis"]
        world.lis()
        world.service.receivers["lis"] = world.proxy("line", lis, up={"blackhole": 1})
        world.start()
        before = world.service.files()
        for _round in range(run.size(2, 50)):
            peers = [wire.connect(world.service.port) for _peer in range(20)]
            for peer in peers:
                peer.sendall(START + plain("HALF", "HALF").raw)
            found.must(all(_let_go(peer) for peer in peers), "a peer that ended nothing was not let go")
            found.must(until(lambda: world.service.files() <= before, 30), "files were not given back")
            found.trials += len(peers)
        client = Client(world)
        answer = client.send(serology("O0", "O"))
        found.must(answer is not None and answer.code == "AA", "a good sender was not answered afterwards")
        found.must(len(world.sign()) == 1, "no comment came of it")
        tried = "SELECT coalesce(max(attempts), 0) FROM outbox"
        found.must(until(lambda: world.service.rows(tried)[0][0] >= 2, 30), "it waits for ever")
        world.proxy_ways("line", up={"pass": 1})
        found.must(world.service.quiesce(60), "not delivered after the line was back")
        found.add(world.check(without=("C13",)))  # the first message came when the peers had been let go
    found.trials += 1
    found.exposures = found.trials
    return found


def _let_go(peer: socket.socket) -> bool:
    """Whether the service ends the connection."""
    with contextlib.closing(peer), contextlib.suppress(ConnectionResetError):
        peer.settimeout(30)
        return peer.recv(1) == b""
    return True


def crowded(run: Run) -> Outcome:
    """T-41 and T-47. A good sender beside a crowd that holds half messages, drips, never reads, or begins TLS with a feed
    that speaks it and never ends it, from a hundred addresses: with the caps set to admit them, and with the default
    caps, where those over the limit are closed. The good sender's slowest hundredth is judged against its value without
    them, in the long run."""
    found = Outcome()
    peers = run.size(300, 2000)
    with World(run.folder / "a", run.seed, run.patched, extra=ADMIT) as world:
        secure = _with_tls(world)
        _start(world)
        quiet = _p99(world, run.size(200, 1000), "quiet")
        world.part(
            "hostile", "crowd", port=world.service.port, tls_port=secure, peers=peers, addresses=run.size(100, 120)
        )
        found.must(until(lambda: _crowd(world).get("open", 0) >= 0.7 * peers, 60), "the crowd did not come in")
        loud = _p99(world, run.size(200, 1000), "loud")
        memory = world.service.memory_mb()
        world.end("crowd")
        found.must(until(world.service.processed, 120), "what came was not processed")
        found.must(world.service.alive, "the service ended")
        found.must(memory < MEMORY_MB, f"memory {memory:.0f} MB")
        if not run.quick:
            found.must(
                loud <= TIMES_AS_SLOW * max(quiet, 0.001),
                f"p99 {loud * 1000:.1f} ms, without them {quiet * 1000:.1f} ms",
            )
        found.note = f"p99 {quiet * 1000:.1f} ms without, {loud * 1000:.1f} ms with {peers} peers, {memory:.0f} MB"
        found.trials, found.exposures = peers, _crowd(world).get("closed", 0)
    _over_the_cap(run, found)
    return found


def _with_tls(world: World) -> int:
    """A second feed that speaks TLS; its port."""
    pair, port = Authority(world.folder).issue("listener"), free_port()
    world.service.configure(
        more=f'[feeds.secure]\nlisten = "127.0.0.1:{port}"\ntimezone = "Europe/Paris"\n[feeds.secure.tls]\n{pair.toml()}'
    )
    return port


def _start(world: World) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    world.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard)))


def _crowd(world: World) -> journal.Event:
    return next(iter(reversed(journal.read(world.folder / "crowd.jsonl"))), {})


def _p99(world: World, count: int, name: str) -> float:
    """The slowest hundredth of a good sender's exchanges, in seconds."""
    client, times = Client(world, name), []
    with wire.connect(world.service.port) as channel:
        for number in range(count):
            begun = time.monotonic()
            answer = client.on(channel, plain(f"{name}{number}", f"{name}{number}"))
            times.append(time.monotonic() - begun)
            if answer is None or answer.code != "AA":
                return float("inf")
    return sorted(times)[int(len(times) * 0.99)]


def _over_the_cap(run: Run, found: Outcome) -> None:
    """The default caps (the short way smaller ones) and just the files they need: who is over is let go and counted, a
    known sender is answered, the log stays short."""
    connections = run.size(128, 1024)
    extra = f"[limits]\nconnections = {connections}\n"
    with World(run.folder / "d", run.seed, run.patched, extra=extra) as world:
        files = connections + 128  # fewer, and the start-up gate refuses
        world.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
        good = wire.connect(world.service.port, "127.0.0.9")
        world.part("hostile", "crowd", port=world.service.port, peers=run.size(300, 2000), addresses=100)
        found.must(until(lambda: _crowd(world).get("closed", 0) >= 50, 60), "nobody was let go")
        client = Client(world)
        with contextlib.closing(good):
            for number in range(20):
                answer = client.on(good, plain(f"K{number}", f"K{number}"))
                found.must(answer is not None and answer.code == "AA", "the known sender was not answered")
        found.must(world.service.files() < files, "no file is left")
        counted = sum(map(float, REFUSED.findall(world.service.metrics())))
        found.must(counted >= 50, f"{counted:g} were counted as refused")
        lines = world.service.log().count("\n")
        found.must(lines < 2000, f"{lines} log lines")
        gone = _crowd(world).get("closed", 0)
        world.end("crowd")
        found.must(
            until(lambda: Client(world, "after").send(plain("AFTER", "AFTER")), 30), "nobody is answered afterwards"
        )
        found.note += f"; default caps: {gone} let go, {lines} log lines"


def slow(run: Run) -> Outcome:
    """T-47. Peers that send half a message, or a byte now and then, are cut after the time a message may take. A good
    sender is answered all the while."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched, extra="[limits]\nframe_timeout_s = 1\n") as world:
        world.start()
        peers = run.size(60, 600)
        world.part("hostile", "crowd", port=world.service.port, peers=peers, addresses=60, again_s=60)
        client = Client(world)
        enough = peers * 2 // 6  # half and drip
        for number in range(10**6):
            answer = client.send(plain(f"Q{number}", f"Q{number}"), source="127.0.0.9")
            found.must(answer is not None and answer.code == "AA", "the good sender was not answered")
            found.exposures += 1
            if _crowd(world).get("closed", 0) >= enough or number > run.size(3000, 30_000) or found.violations:
                break
            time.sleep(0.01)
        found.trials = _crowd(world).get("closed", 0)
        found.must(found.trials >= enough, f"{found.trials} of {enough} slow peers were cut")
    return found


def oversize(run: Run) -> Outcome:
    """T-43. Messages around the longest that is taken, and one that never ends: above it AR, and the connection ends; memory
    stays bounded."""
    found = Outcome()
    most = 2**20
    with World(run.folder / "w", run.seed, run.patched, extra=f"[limits]\nframe_bytes = {most}\n") as world:
        world.start()
        client = Client(world)
        for round in range(run.size(1, 20)):
            for size in (65535, 65536, 65537, most - 1, most, most + 1, 2 * most):
                answer = client.send(_long(f"Z{round}-{size}", size), timeout=20)
                wanted = "AA" if size <= most else "AR"
                found.must(answer is not None and answer.code == wanted, f"{size} bytes: {answer}")
                found.trials += 1
            with wire.connect(world.service.port) as channel, contextlib.suppress(OSError):
                for _part in range(run.size(64, 256)):
                    channel.sendall((START if not _part else b"") + b"x" * 2**20)
        memory = world.service.memory_mb()
        found.must(memory < MEMORY_MB, f"memory {memory:.0f} MB after an endless message")
        until(world.service.processed)
        found.add(world.check(without=("C5b", "C11b")))
    found.exposures, found.note = found.trials, f"{memory:.0f} MB"
    return found


def _long(control_id: str, size: int) -> Message:
    """A message of exactly so many bytes, in notes that each stay below the limit of a field."""
    raw = plain(control_id, control_id).raw
    while (missing := size - len(raw)) > 0:
        raw += b"NTE|2||" + b"x" * max(0, min(missing, 60_000) - 8) + b"\r"
    return Message(control_id, control_id, -1, "long", "", raw[:size] if len(raw) == size else raw[: size - 1] + b"\r")


def large(run: Run) -> Outcome:
    """T-45. Results with an encapsulated document of 11 MB, several at once: kept whole, memory bounded."""
    found = Outcome()
    document = "QUJD" * (11 * 2**20 // 4)
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        hands, peak = run.size(2, 40), [0.0]
        threads = [threading.Thread(target=_document, args=(world, number, document, found)) for number in range(hands)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak[0] = max(peak[0], world.service.memory_mb())
            time.sleep(0.05)
        found.must(peak[0] < MEMORY_MB, f"memory {peak[0]:.0f} MB")
        until(world.service.processed)
        found.add(world.check())
    found.trials = found.exposures = hands
    found.note = f"{peak[0]:.0f} MB at most"
    return found


def _document(world: World, number: int, document: str, found: Outcome) -> None:
    raw = plain(f"G{number}", f"G{number}").raw + f"OBX|2|ED|PDF^Report^L||^AP^PDF^Base64^{document}||||||F\r".encode()
    message = Message(f"G{number}", f"G{number}", 0, "plain", "", raw)
    answer = Client(world, f"g{number}").send(message, timeout=120, source=f"127.0.0.{20 + number % 8}")
    found.must(answer is not None and answer.code == "AA", f"document {number}: {answer}")
