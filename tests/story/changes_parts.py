"""A laboratory whose site folder is changed at the workbench: the service's own chain, without its processes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from story_parts import ASKING, ELSEWHERE, FEED, SITE, Laboratory

from labbridge.changing import Changing
from labbridge.config import Config
from labbridge.interpret import Interpreter
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Source
from labbridge.model.changes import Change
from labbridge.model.people import Person, Role
from labbridge.model.work import AuditEvent
from labbridge.normalise import Normaliser
from labbridge.pipeline import Reader
from labbridge.proving import Proven, Prover, proven
from labbridge.repairing import Repairing
from labbridge.sources import KnowledgeError, read_all, understood
from labbridge.store import opening
from labbridge.store.people import StorePeople
from labbridge.store.units import LocalUnits

CONFIG = {
    "facility": "LABA",
    "feeds": {"myolis": {"timezone": "Europe/Paris"}},
    "receivers": {"lis": {"address": "127.0.0.1:9"}},
}


@lru_cache(8)
def reader_of(texts: tuple[Source, ...]) -> Reader:
    knowledge = understood(texts)
    codes = frozenset(one.code for one in knowledge.terminology.comment)
    feeds = {feed.name: feed for feed in (FEED, ELSEWHERE, ASKING)}
    return Reader(Normaliser(knowledge), Interpreter(knowledge), feeds, "LABBRIDGE", codes)


@lru_cache(64)
def proof(texts: tuple[Source, ...], before: tuple[Source, ...], items: tuple[str, ...] = ()) -> Proven:
    """The proof itself; the same texts are not proven twice."""
    return proven(texts, before, items)


class Office:
    """Nora writes, Otto approves. `reloads` is what a reload that finds a fault would say; empty where none is found."""

    def __init__(self, url: str, folder: Path) -> None:
        self.site = folder / "site"
        shutil.copytree(SITE, self.site)
        self.lab = Laboratory(url)
        self._reader = opening.reader(url)
        self.people = StorePeople(self._reader, LocalUnits(self.lab.writer))
        self.texts: Sequence[Source] = ()
        self.reloads: list[str] = []
        config = Config.model_validate({**CONFIG, "knowledge": {"site": str(self.site)}})
        stores = (self.lab.desk.changes, self.lab.desk.unmapped, self.lab.desk.replays, self.people)
        repairing = Repairing(config, self.lab.desk, self.lab.clock, self.people)
        self.changing = Changing(str(self.site), stores, repairing, self.lab.clock, self.reload)
        self.take(read_all(str(self.site)))
        self.account("nora", Role.AUTHOR)
        self.account("otto", Role.APPROVER)

    def close(self) -> None:
        self._reader.close()
        self.lab.close()

    def account(self, login: str, *roles: Role) -> None:
        made = Person(
            key=0, login=login, name=f"{login.title()} Test", roles=frozenset(roles), feeds=("*",), secret="x"
        )
        event = AuditEvent(at=self.lab.clock.now(), actor="test", action="account made", subject=login)
        self.people.add(made, event)

    def take(self, texts: Sequence[Source]) -> None:
        """These texts are in force."""
        self.lab.reader = reader_of(tuple(texts))
        self.texts = texts
        self.changing.taken(texts)

    async def reload(self, _name: str) -> dict[str, Any]:
        """What reloading.py does, in this process: read, prove, take."""
        if self.reloads:
            return {"ok": False, "error": self.reloads.pop(0)}
        try:
            texts = read_all(str(self.site))
        except KnowledgeError as error:
            return {"ok": False, "faults": [{"text": str(one)} for one in error.faults]}
        faults = proof(tuple(texts), tuple(self.texts)).faults
        if faults:
            return {"ok": False, "faults": [{"text": str(one)} for one in faults]}
        self.take(texts)
        return {"ok": True, "in_force": version(texts)}

    def ask(self, who: str, act: str, **more: Any) -> dict[str, Any]:
        request = {"command": "change", "act": act, "as": f"{who.title()} Test", "person": who, **more}
        return asyncio.run(self.changing.perform(request))

    def put_forward(self, item: str, text: str, who: str = "nora", **more: Any) -> str:
        """The change (E1), or why it was refused."""
        edits = [{"item": item, "text": text}]
        answer = self.ask(who, "put_forward", edits=edits, why="our validation", **more)
        return str(answer.get("change") or answer["error"])

    def approve(self, shown: str, who: str = "otto") -> str:
        """Empty, or why it was refused."""
        return str(self.ask(who, "approve", key=shown).get("error", ""))

    def change(self, shown: str) -> Change:
        found = self.lab.desk.changes.one(int(shown[1:]))
        assert found is not None
        return found

    def file(self, name: str) -> str:
        path = self.site / name
        return path.read_text(encoding="utf-8") if path.exists() else ""


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof itself, without a process for it (tests/service has that)."""

    def run(_self: Prover, texts: Sequence[Source], before: Sequence[Source], items: Sequence[str] = ()) -> Proven:
        return proof(tuple(texts), tuple(before), tuple(items))

    monkeypatch.setattr(Prover, "prove", run)
