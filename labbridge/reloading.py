"""`labbridge reload` and SIGHUP: mappings and site folder are read again, proven by what `labbridge check` runs, and taken
into force whole or not at all.

The proof runs in a process of its own, so that messages go on being acknowledged and drafted meanwhile. A batch is worked
on by one knowledge from beginning to end: the exchange waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from labbridge.errors import Refused, StoreUnavailable
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Fault, Source, counted
from labbridge.model.work import AuditEvent, Count
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.proving import Prover
from labbridge.review import policies
from labbridge.sources import KnowledgeError, packed, read_all
from labbridge.store.desk import StoreDesk
from labbridge.supervising import Supervisor, dismiss

ANSWERED_WITHIN_S = 600.0  # a reload may have to wait for another one, and each for its proof
SIGNALLED = "SIGHUP"
ACCEPTED, REFUSED, UNCHANGED = "accepted", "refused", "unchanged"

_log = logs.logger("reload")
Taken = Callable[[Sequence[Source]], None]


class Reloading:
    """Reloads of one service, one after the other. `taken` is told the texts that have come into force."""

    def __init__(self, site: str, supervisor: Supervisor, desk: StoreDesk, clock: Clock, taken: Taken) -> None:
        self._site, self._supervisor, self._desk, self._clock, self._taken = site, supervisor, desk, clock, taken
        self._turn = asyncio.Lock()
        self._waiting = False
        self._signals: set[asyncio.Task[dict[str, Any]]] = set()
        self._prover = Prover()

    async def started(self) -> None:
        """The knowledge that the service begins with is kept, as every one that comes into force is. No message is blamed
        for how the service before it ended."""
        await asyncio.to_thread(self._desk.forgive)
        await self._keep(self._supervisor.texts)

    async def _keep(self, texts: Sequence[Source]) -> None:
        """So that what was said by it can be said again, whatever the files are by then."""
        await asyncio.to_thread(self._desk.approvals.keep, version(texts), packed(texts), self._clock.now())

    def signalled(self) -> None:
        """SIGHUP. One that waits already will read what is there when its turn comes: a further one adds nothing."""
        if not self._waiting:
            task = asyncio.get_running_loop().create_task(self.reload(SIGNALLED))
            self._signals.add(task)
            task.add_done_callback(self._signals.discard)

    def stop(self) -> None:
        """A proof in hand is given up."""
        self._prover.stop()

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request of the control socket: {"command": "reload", "as"}."""
        try:
            name = str(request.get("as", ""))
            policies.check_signer(name)
        except Refused as refusal:
            return {"ok": False, "error": str(refusal)}
        return await self.reload(name)

    async def reload(self, name: str) -> dict[str, Any]:
        """Read, prove, take into force; the answer for the person who asked. A second one waits for the first."""
        self._waiting = True
        async with self._turn:
            self._waiting = False
            before = version(self._supervisor.texts)
            try:
                return await self._attempt(name, before)
            except (Refused, StoreUnavailable) as refusal:
                _log.error("reload_failed", knowledge=before)
                return {"ok": False, "error": str(refusal), "in_force": before}

    async def _attempt(self, name: str, before: str) -> dict[str, Any]:
        try:
            texts = await asyncio.to_thread(read_all, self._site)
        except KnowledgeError as error:
            return await self._refuse(name, before, "", error.faults)
        after = version(texts)
        if after == before:
            await self._record(name, UNCHANGED, before)
            return {"ok": True, "outcome": UNCHANGED, "in_force": before, "before": before}
        faults = await asyncio.to_thread(self._prove, texts)
        if faults:
            return await self._refuse(name, before, after, faults)
        successor = await self._supervisor.successor(texts)
        try:
            await self._keep(texts)
            await self._record(name, ACCEPTED, f"from {before} to {after}")
        except StoreUnavailable:
            dismiss(successor)  # what cannot be audited is not done
            raise
        await self._supervisor.exchange(successor, texts)
        self._taken(texts)
        _log.info("knowledge_taken", knowledge=after)
        return {"ok": True, "outcome": ACCEPTED, "in_force": after, "before": before}

    async def _refuse(self, name: str, before: str, offered: str, faults: Sequence[Fault]) -> dict[str, Any]:
        """Nothing changes. The log names the places; what stands there is said to who asks, and by `labbridge check`."""
        await self._record(name, REFUSED, f"{counted(faults)} in {offered or 'the files'}; {before} stays")
        _log.error("knowledge_refused", count=len(faults), knowledge=before)
        for fault in faults:
            _log.error("knowledge_fault", place=f"{fault.file}:{fault.line}")
        said = [{**msgspec.to_builtins(fault), "text": str(fault)} for fault in faults]
        return {"ok": False, "outcome": REFUSED, "in_force": before, "before": before, "faults": said}

    async def _record(self, name: str, outcome: str, detail: str) -> None:
        event = AuditEvent(
            at=self._clock.now(), actor=name, action=f"reload {outcome}", subject="knowledge", detail=detail
        )
        await asyncio.to_thread(self._desk.record, event, (Count("reloads", (outcome,)),))

    def _prove(self, texts: Sequence[Source]) -> list[Fault]:
        """The faults of these texts. Blocks. Refused where the proof gives no answer."""
        return self._prover.prove(texts, self._supervisor.texts).faults


def with_certificates(answer: dict[str, Any], taken: list[str], faults: list[str]) -> dict[str, Any]:
    """The answer with what became of changed certificates: they are exchanged whatever becomes of the knowledge."""
    if not taken and not faults:
        return answer
    return answer | {"ok": bool(answer["ok"]) and not faults, "certificates": taken, "certificate_faults": faults}


def printed(answer: dict[str, Any], format: str) -> tuple[str, list[str]]:
    """What `labbridge reload` prints: the outcome, and each fault with its file, line and repair."""
    if format == "json":
        return json.dumps(answer, ensure_ascii=False), []
    faults = [*map(str, answer.get("certificate_faults", ())), *(str(one["text"]) for one in answer.get("faults", ()))]
    taken = "".join(f"\nRenewed: {place}" for place in answer.get("certificates", ()))
    if "error" in answer:
        return str(answer["error"]) + taken, faults
    sentences = {
        ACCEPTED: f"In force: {answer['in_force']} (before: {answer['before']})",
        UNCHANGED: f"Nothing has changed; in force stays {answer['in_force']}",
        REFUSED: f"Refused: {counted(answer.get('faults', ()))}; in force stays {answer['in_force']}",
    }
    return sentences[answer["outcome"]] + taken, faults
