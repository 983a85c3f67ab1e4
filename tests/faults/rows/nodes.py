"""Several services on one store: T-06 for nodes, T-60."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults import beside
from tests.faults.evidence import load
from tests.faults.nodes import QUIET_S, Nodes, sent_awake, stalls, written_awake
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.database import stored
from tests.faults.service import until
from tests.faults.world import World

if TYPE_CHECKING:
    from tests.clusters import Cluster

RENEWAL_S = 3.0
# A neighbour looks five times within a renewal; the rest is this machine's, which has all of them to run.
MARGIN_S = 3.0
SLOW = 5  # the short way runs beside other tests: it judges no speed, only that nothing stands still
EXCUSED_S = 5.0
WORKED = "SELECT count(DISTINCT node) FROM audit WHERE action = '{}'"
PEERS = "SELECT DISTINCT peer FROM journal"


def several(run: Run) -> Outcome:
    """T-06 N. Two nodes that listen behind HAProxy, two that process, two that deliver; they are killed, frozen for longer
    than their renewal, at random and with something in hand, and so is their database killed. Nothing is lost or doubled,
    each message is processed once and in order, who slept does nothing of what it had, nothing waits much longer than the
    renewal."""
    found = Outcome()
    with stored() as (server, url), World(run.folder / "w", run.seed, run.patched, database=url) as world:
        nodes = Nodes(world, server.port, RENEWAL_S)
        for role in ("listen", "process", "deliver"):
            for number in (1, 2):
                nodes.add(f"{role}{number}", role, proxied=role == "listen")
        web = nodes.add("web", "web")
        ports = [nodes.of[name].receivers["lis"] for name in ("deliver1", "deliver2")]
        world.part("lis", "lis", port=ports[0], ports=ports)
        nodes.start()
        front = nodes.balanced("listen1", "listen2")
        names = _senders(world, front, 4)
        world.signer(control=str(web.control), refusals=1000)
        for number in range(run.size(1, 12)):
            _round(nodes, server, world, number, found)
        found.must(world.settle(*names, signer=True, within_s=180), "not everything came to rest")
        _judged(found, world, names, RENEWAL_S + MARGIN_S * run.size(SLOW, 1))
        found.note += f"; {len(nodes.restarts)} restarts" if nodes.restarts else ""
        for action in ("received", "done", "delivery acknowledged"):
            ((nodes_of,),) = world.service.rows(WORKED.format(action))
            found.must(nodes_of > 1, f"one node alone wrote `{action}`")
        peers = {peer for (peer,) in beside.rows(url, PEERS)}
        found.must(peers == {f"127.0.1.{number + 1}" for number in range(4)}, f"the peers were {sorted(peers)}")
    return found


def eight(run: Run) -> Outcome:
    """T-60. Eight nodes that process what one takes in; those that hold a share are killed, frozen at random and frozen with
    something begun. No two work on one lane, and none that slept writes anything of what it had."""
    found = Outcome()
    with stored() as (server, url), World(run.folder / "w", run.seed, run.patched, database=url) as world:
        nodes = Nodes(world, server.port, RENEWAL_S)
        listener = nodes.add("listen", "listen")
        workers = [f"process{number}" for number in range(1, 9)]
        for name in workers:
            nodes.add(name, "process")
        nodes.start()
        names = _senders(world, listener.port, 4)
        for number in range(run.size(1, 20)):
            asleep = nodes.renewal_s * 1.3 + world.rng.uniform(0.5, 2)
            killed, frozen = world.rng.sample(workers, 2)
            nodes.kill(killed, world.rng.uniform(0.1, nodes.renewal_s))
            nodes.freeze(frozen, asleep)
            time.sleep(QUIET_S)
            found.must(
                nodes.caught(workers, ("begun", "processing")[number % 2], asleep), "no node had anything in hand"
            )
            time.sleep(QUIET_S)
            found.must(nodes.ready(killed), f"{killed} did not come back")
            found.trials += 3
        found.must(world.settle(*names, within_s=180), "not everything came to rest")
        _judged(found, world, names, RENEWAL_S + MARGIN_S * run.size(SLOW, 1))
        ((worked,),) = world.service.rows(WORKED.format("done"))
        found.must(worked >= len(workers) - 2, f"{worked} of {len(workers)} nodes processed anything")
    return found


def _senders(world: World, port: int, count: int, **settings: object) -> list[str]:
    """Each from an address of its own, eight patients at once."""
    names = [f"s{number}" for number in range(count)]
    told = {"timeout_s": 1, "a_second": 6, "serology": 0.15, "malformed": 0.01, "again": 0.02, **settings}
    for number, name in enumerate(names):
        world.sender(name, port=port, source=f"127.0.1.{number + 1}", **told)
    until(lambda: all((world.folder / f"{name}.jsonl").is_file() for name in names))
    return names


def _round(nodes: Nodes, server: Cluster, world: World, number: int, found: Outcome) -> None:
    """One of each kind: killed, frozen at random, frozen with something in hand; and the database."""
    rng = world.rng
    asleep = nodes.renewal_s * 1.3 + rng.uniform(0.5, 2)
    one, other = ("1", "2") if rng.random() < 0.5 else ("2", "1")
    for role in ("listen", "process", "deliver"):
        nodes.kill(f"{role}{one}", rng.uniform(0.1, nodes.renewal_s))
        found.trials += 1
        found.must(nodes.ready(f"{role}{one}"), f"{role}{one} did not come back")
        if number % 2 or role == "listen":
            nodes.freeze(f"{role}{other}", asleep)
            found.trials += 1
        time.sleep(QUIET_S)
    for kind, role in (("begun", "process"), ("claim", "deliver")):
        caught = nodes.caught([f"{role}1", f"{role}2"], kind, asleep)
        found.must(caught, f"no node committed a {kind}")
        found.trials += 1
        time.sleep(QUIET_S)
    server.crash()
    world.nemesis.write({"ev": "down"})
    time.sleep(rng.uniform(0.3, 1.5))
    server.start()
    world.nemesis.write({"ev": "up"})
    found.trials += 1
    time.sleep(QUIET_S)


def _judged(found: Outcome, world: World, names: list[str], longest_s: float) -> None:
    slept_s = RENEWAL_S * 1.25
    waits = stalls(world, names, EXCUSED_S)
    late = [one for one in waits if one[0] > longest_s]
    verdict = world.check()
    found.add(verdict)
    found.violations += [*written_awake(world, slept_s)[:3], *sent_awake(world, slept_s)[:3]]
    told = ", ".join(f"{id} {wait:.1f} s from {place}" for wait, id, place in late[:1] + late[-1:])
    found.must(not late, f"{len(late)} messages waited longer than {longest_s:.0f} s: {told}")
    found.exposures += int(sum(load(world.folder, world.service.database).in_flight))
    found.figures([verdict], "acked", "duplicates", "delivered")
    found.note += f"; the longest wait was {waits[0][0]:.1f} s, the renewal {RENEWAL_S:.0f} s"
    world.violated = bool(found.violations)
