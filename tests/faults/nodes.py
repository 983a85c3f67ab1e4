"""Several services on one PostgreSQL store, each with a folder, ports and a name of its own; a proxy before the server for
each; HAProxy before those that listen. What a frozen one did is judged here, by what the proxies and the LIS saw."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from datetime import datetime

from tests.faults import beside, journal
from tests.faults.journal import Event
from tests.faults.service import Service, free_port, until
from tests.faults.world import World, listens

FRONT = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
    retries 2
listen results
    bind 127.0.0.1:{front}
    balance leastconn
"""
BACK = "    server {name} 127.0.0.1:{port} send-proxy-v2 check inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions\n"
FEED = '[feeds.myolis]\nlisten = "127.0.0.1:{}"\nproxies = ["127.0.0.1"]\ntimezone = "Europe/Paris"\nsettle_s = 0\n'
QUIET_S = 2.0  # so long after a node woke nothing else is done to any
WORK = "SELECT id, message, lane FROM work"
DONE = "SELECT j.control_id, w.updated FROM work w JOIN journal j ON j.id = w.message WHERE w.state = 'done'"


def haproxy() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class Nodes:
    """`renewal_s`: a node that has said nothing for so long is taken for lost."""

    def __init__(self, world: World, server: int, renewal_s: float) -> None:
        self._world, self._server, self.renewal_s = world, server, renewal_s
        self.of = world.nodes
        self.restarts: list[str] = []

    def add(self, name: str, role: str, *, proxied: bool = False) -> Service:
        """One more, not yet started. `proxied`: a load balancer says who its peers are."""
        world, through = self._world, free_port()
        world.pgproxy(f"pg-{name}", through, self._server)
        store = str(world.service.database).replace(f":{self._server}/", f":{through}/")
        more = f'[node]\nname = "{name}"\nrenewal_s = {self.renewal_s}\n'
        service = self.of[name] = Service(
            world.folder / name, role=role, database=world.service.database, store=store, extra=more,
            patched=world.patched,
        )  # fmt: skip
        service.configure(FEED.format(service.port) if proxied else "")
        return service

    def start(self) -> None:
        """All of them; the first makes the tables."""
        first, *others = self.of.values()
        first.start()
        for one in others:
            one.start(wait=False)
        for name, one in self.of.items():
            if not self.ready(name):
                raise RuntimeError(f"{name} did not come up: {one.log()[-600:]}")

    def balanced(self, *names: str) -> int:
        """The port of HAProxy before these nodes."""
        front, program, path = free_port(), haproxy(), self._world.folder / "haproxy.cfg"
        assert program is not None
        backs = "".join(BACK.format(name=name, port=self.of[name].port) for name in names)
        path.write_text(FRONT.format(front=front) + backs)
        from tests.clusters import die_with_parent

        command = [program, "-db", "-f", str(path)]
        self._world.program("haproxy", command, preexec_fn=lambda: die_with_parent(signal.SIGKILL))
        until(lambda: listens(front))
        return front

    # ---------------------------------------------------------------- what is done to them

    def kill(self, name: str, away_s: float) -> None:
        """SIGKILL, and started again after a while."""
        self._world.nemesis.write({"ev": "kill", "what": name})
        self.of[name].kill()
        time.sleep(away_s)
        self.of[name].start(wait=False)

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP of all its processes, and SIGCONT."""
        self._world.nemesis.write({"ev": "freeze", "what": name, "seconds": seconds})
        self.of[name].signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.thaw(name)

    def thaw(self, name: str) -> None:
        self._world.nemesis.write({"ev": "thaw", "what": name})
        self.of[name].signal(signal.SIGCONT)

    def caught(self, names: list[str], kind: str, seconds: float, within_s: float = 40.0) -> str:
        """Freeze the first of these nodes whose commit of this kind is done, with the answer on its way: it has begun
        something, and wakes with it in hand. Its name; empty where none of them came to it."""
        before = {name: self._held(name) for name in names}
        for name in names:
            self._world.pgproxy_ways(f"pg-{name}", **{kind: {"hold": 1e9}})
        found = until(lambda: next((one for one in names if self._held(one) > before[one]), ""), within_s)
        if found:
            self.of[found].signal(signal.SIGSTOP)
            self._world.nemesis.write({"ev": "freeze", "what": found, "seconds": seconds, "kind": kind})
        for name in names:
            self._world.pgproxy_ways(f"pg-{name}")
        if found:
            time.sleep(seconds)
            self.thaw(found)
        return str(found or "")

    def _held(self, name: str) -> int:
        path = self._world.folder / f"pg-{name}.jsonl"
        return path.read_text().count('"hold"') if path.is_file() else 0

    def ready(self, name: str) -> bool:
        """Wait until it is up, and start it again where it ended, as its supervisor does; whether it came up."""
        service = self.of[name]

        def up() -> bool:
            if not service.alive:
                self.restarts.append(f"{name}: {service.log().strip().splitlines()[-1][:120]}")
                service.start(wait=False)
            return service.ready()

        return until(up, 60, 0.1) is True


# ---------------------------------------------------------------- what is judged


def spells(nemesis: list[Event], longer_than_s: float) -> Iterator[tuple[str, float, float]]:
    """Which node slept so long, from when to when."""
    asleep: dict[str, Event] = {}
    for one in nemesis:
        if one["ev"] == "freeze":
            asleep[one["what"]] = one
        elif one["ev"] == "thaw":
            begun = asleep.pop(one["what"])
            if one["t"] - begun["t"] > longer_than_s:
                yield one["what"], begun["t"], one["t"]


def written_awake(world: World, longer_than_s: float) -> list[str]:
    """What a node wrote after it had been taken for lost: in a session from before, or of work that it had begun before."""
    found = []
    rows = {id: (message, lane) for id, message, lane in beside.rows(world.service.database, WORK)}
    nemesis = journal.read(world.folder / "nemesis.jsonl")
    for name, slept, woke in spells(nemesis, longer_than_s):
        commits = [one for one in journal.read(world.folder / f"pg-{name}.jsonl") if one["ev"] == "commit"]
        before = {one["session"] for one in commits if one["asked"] < slept}
        late = [one for one in commits if one["asked"] > woke and one["session"] in before]
        found += [f"{name} wrote {one['kinds']} {one['asked'] - woke:.2f} s after it woke" for one in late]
        found += [
            f"{name} settled M{message} {after:.2f} s after it woke"
            for message, after in _had(commits, rows, slept, woke)
        ]
    return found


def _had(
    commits: list[Event], rows: dict[int, tuple[int, str]], slept: float, woke: float
) -> Iterator[tuple[int, float]]:
    """The messages that were settled once it was awake, and begun before it slept, not since; and how long after."""
    begun: dict[tuple[int, str], float] = {}
    for one in commits:
        if one["asked"] > woke:
            for message, lane in one["settled"]:
                if begun.get((message, lane), woke) < slept:
                    yield message, one["asked"] - woke
        begun |= {rows[id]: one["asked"] for id in one["begun"] if id in rows}


def sent_awake(world: World, longer_than_s: float) -> list[str]:
    """What a node sent to the LIS soon after it woke, although another had sent meanwhile."""
    found = []
    arrivals = [one for one in journal.read(world.folder / "lis.jsonl") if one["ev"] == "arrival"]
    for name, slept, woke in spells(journal.read(world.folder / "nemesis.jsonl"), longer_than_s):
        port = world.nodes[name].receivers["lis"]
        others = [one for one in arrivals if one["port"] != port and slept < one["t"] < woke]
        late = [one for one in arrivals if one["port"] == port and woke < one["t"] < woke + QUIET_S]
        if others:
            found += [f"{name} sent {one['id']} {one['t'] - woke:.2f} s after it woke" for one in late]
    return found


def stalls(world: World, names: list[str], excused_s: float) -> list[tuple[float, str, str]]:
    """How long each accepted message waited until it was processed, its id, and after what was done to a node; longest
    first. Not those that waited while the database was away, or in the `excused_s` after."""
    nemesis = journal.read(world.folder / "nemesis.jsonl")
    downs = [one["wall"] for one in nemesis if one["ev"] == "down"]
    away = list(zip(downs, (one["wall"] + excused_s for one in nemesis if one["ev"] == "up"), strict=True))
    done = {id: datetime.fromisoformat(at).timestamp() for id, at in beside.rows(world.service.database, DONE)}
    found = []
    for name in names:
        for one in journal.read(world.folder / f"{name}.jsonl"):
            if one["ev"] == "reply" and one["code"] in ("AA", "CA") and one["id"] in done:
                begun, ended = one["wall"], done.pop(one["id"])
                if not any(begun < end and ended > start for start, end in away):
                    found.append((ended - begun, str(one["id"]), _after(nemesis, begun)))
    return sorted(found, reverse=True)


def _after(nemesis: list[Event], moment: float) -> str:
    before = [one for one in nemesis if one["wall"] < moment]
    if not before:
        return "the start"
    return f"{moment - before[-1]['wall']:.1f} s after {before[-1]['ev']} {before[-1].get('what', '')}"
