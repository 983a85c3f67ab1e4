"""Orders of retests through the proxy to a LIS that accepts, refuses, or is not heard: T-34 of orders, and H9."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from pathlib import Path

from tests.faults.client import Client
from tests.faults.messages import Message, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.outbound import arrivals
from tests.faults.service import SITE, free_port, until
from tests.faults.world import World

SERVICES = """\
- {analyte: SRP, family: quant, code: SRPELISA, display: anti-SRP by ELISA, source: the row of faults}
- {analyte: SRP, family: ip, code: SRPIP, display: anti-SRP by immunoprecipitation, source: the row of faults}
- {analyte: HMGCR, family: quant, code: HMGCRCLIA, display: anti-HMGCR by CLIA, source: the row of faults}
"""
PLACER = re.compile(r"\rORC\|NW\|([^|^]+)")
LOSES = {"pass": 4.0, "swallow": 1.0, "cut": 1.0}
ORDERS = "SELECT number, lane, analyte, reason, state FROM orders"


def ordered(run: Run) -> Outcome:
    """T-34 O. Orders leave through a proxy that loses answers, to a LIS that accepts, refuses or says nothing of them;
    corrections, duplicates and our own messages come back meanwhile. A reason is ordered once, under one number, with the
    same bytes however often it is sent; none is taken for accepted that the LIS did not accept by its number."""
    found = Outcome()
    proxied = free_port()
    environment = {"LABBRIDGE_RECEIVERS__LIS__RETEST": "order", "LABBRIDGE_KNOWLEDGE__SITE": str(_site(run.folder))}
    with World(
        run.folder / "w", run.seed, run.patched, receivers={"lis": proxied}, environment=environment, timeout_s=0.5
    ) as world:
        real = free_port()
        world.part("lis", "lis", port=real, modes={"ok": 4, "ua": 1, "plain": 1, "ae": 1})
        world.part("proxy", "proxy", port=proxied, target=real, up={"pass": 1}, down=LOSES)
        world.start()
        client = Client(world)
        names = [f"O{number}" for number in range(run.size(4, 60))]
        for name in names:
            client.send(serology(f"{name}-0", name, 0, "8"))
        for turn in range(1, run.size(3, 40)):
            until(world.service.processed)
            world.sign(60)
            found.trials += _again(world, client, names, turn)
        until(world.service.processed)
        world.sign(60)
        world.lis_modes({"plain": 1})
        world.proxy_ways("proxy", down={"pass": 1})
        found.must(world.service.quiesce(run.size(60, 600)), "not everything was delivered in the end")
        _judge(world, found)
    return found


def _site(folder: Path) -> Path:
    """The demo site, whose laboratory can be asked for what is retested."""
    site = folder / "site"
    if not site.is_dir():
        shutil.copytree(SITE, site)
        (site / "orders.yaml").write_text(SERVICES, encoding="utf-8")
    return site


def _again(world: World, client: Client, names: list[str], turn: int) -> int:
    """A correction of each, the same again, and everything of ours that has left, back to us. How many."""
    sent = 0
    for name in names:
        correction = serology(f"{name}-{turn}", name, turn, str(8 + turn % 2 * 50))
        for _time in range(2):
            client.send(correction)
            sent += 1
    for one in arrivals(world)[-8:]:
        raw = one["raw"].encode("utf-8", "surrogateescape")
        client.send(Message(one["id"], "", -1, "reflection", "", raw))
        sent += 1
    return sent


def _judge(world: World, found: Outcome) -> None:
    about = {number: (lane, analyte, reason) for number, lane, analyte, reason, _state in world.service.rows(ORDERS)}
    bytes_of: dict[str, set[str]] = defaultdict(set)
    numbers: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    said: dict[str, set[str]] = defaultdict(set)
    for one in arrivals(world):
        placer = PLACER.search(one["raw"])
        if placer is not None:
            number = placer[1]
            found.must(number in about, f"an order of nobody left: {number}")
            bytes_of[number].add(one["sha"])
            said[number].add(one["mode"])
            numbers[about.get(number, ("", "", ""))].add(number)
    found.exposures = sum(map(len, bytes_of.values()))
    found.must(bool(bytes_of), "no order left")
    twice = [number for number, every in bytes_of.items() if len(every) > 1]
    found.must(not twice, f"{len(twice)} numbers with other bytes on another attempt: {twice[:3]}")
    again = [one for one, every in numbers.items() if len(every) > 1]
    found.must(not again, f"H9: {len(again)} reasons were ordered twice: {again[:3]}")
    for number, *_about, state in world.service.rows(ORDERS):
        credited = state == "accepted" and "ok" not in said[number]
        found.must(not credited, f"{number} was taken for accepted, and the LIS never said so: {said[number]}")
    found.note = f"{len(bytes_of)} orders for {len(numbers)} reasons"
