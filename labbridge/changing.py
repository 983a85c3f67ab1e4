"""Changes of what the machine says, made at the workbench: one person writes a record of the site's files, it is proven and
kept; another one approves it, and only then is it written, taken into force, and what waited for it read again.

Nothing of a change touches a file before two people have signed it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from labbridge import site_files
from labbridge.approving import signer_of
from labbridge.children import Aside
from labbridge.errors import CaseFileError, Refused, StoreUnavailable
from labbridge.knowledge import edits
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Source, counted
from labbridge.model.approvals import SignAct, Signer
from labbridge.model.changes import Change, ChangeState
from labbridge.model.items import Item
from labbridge.model.work import AuditEvent
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.proving import Prover
from labbridge.repairing import Repairing
from labbridge.review import approvals, changes, policies
from labbridge.sources import CASES, KnowledgeError, read_all
from labbridge.store.approvals import Signing
from labbridge.store.changes import StoreChanges
from labbridge.store.people import StorePeople
from labbridge.store.replays import StoreReplays
from labbridge.store.unmapped import StoreUnmapped

PACKED_WITHIN_S = 100.0
REFUSED = "refused: "  # what a packing process begins with where there is no page
AT_ONCE = 100  # messages that are read again before it is noted that they were

_log = logs.logger("change")
Reload = Callable[[str], Awaitable[dict[str, Any]]]


class Changing:
    """`reload` takes what lies on the disk into force (reloading.py)."""

    def __init__(
        self,
        site: str,
        stores: tuple[StoreChanges, StoreUnmapped, StoreReplays, StorePeople | None],
        repairing: Repairing,
        clock: Clock,
        reload: Reload,
    ) -> None:
        self._site, self._repairing, self._clock, self._reload = site, repairing, clock, reload
        self._store, self._unmapped, self._replays, self._people = stores
        self._texts: Sequence[Source] = ()
        self._prover, self._packer = Prover(), Aside("validation pack", PACKED_WITHIN_S)
        self._turn = asyncio.Lock()

    def taken(self, texts: Sequence[Source]) -> None:
        """The knowledge that is in force from now on."""
        self._texts = texts

    def stop(self) -> None:
        self._prover.stop()
        self._packer.stop()

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """{"act": put_forward, "edits": [{"item", "text"}], "about", "why"}; or approve, take, read_again, give_up with
        {"key": E7}. From the workbench with {"person"}, the login. The answer names the change."""
        acts = {
            "put_forward": self._put_forward,
            "approve": self._approve,
            "take": self._take,
            "read_again": self._again,
            "give_up": self._give_up,
            "pack": self._pack,
        }
        act = acts.get(str(request.get("act")))
        if act is None:
            return {"ok": False, "error": "This service does not know the act; is it older than the workbench?"}
        async with self._turn:
            try:
                return await act(request)
            except (Refused, StoreUnavailable) as refusal:
                return {"ok": False, "error": str(refusal)}

    # ---------------------------------------------------------------- one person writes it

    async def _put_forward(self, request: dict[str, Any]) -> dict[str, Any]:
        change = await asyncio.to_thread(self._kept, request)
        return {"ok": True, "change": change}

    def _kept(self, request: dict[str, Any]) -> str:
        signer = self._signer(request)
        why = policies.check_reason(str(request.get("why", "")))
        texts = self._on_disk()
        written = changes.edits_of(request, texts)
        after = edits.applied(texts, written)
        items = self._proven(after, [one.item for one in written])
        written = tuple(changes.signed(one, items.get(one.item)) for one in written)
        now = self._clock.now()
        change = Change(
            key=0,
            edits=written,
            about=changes.about_of(request),
            base=version(texts),
            state=ChangeState.PUT_FORWARD,
            author=signer.login,
            author_name=signer.name,
            put_forward=now,
            why=why,
        )
        key = self._store.put_forward(change, self._signing(SignAct.PUT_FORWARD, signer, tuple(items.values()), why))
        return f"E{key}"

    # ---------------------------------------------------------------- another one approves it

    async def _approve(self, request: dict[str, Any]) -> dict[str, Any]:
        change, after = await asyncio.to_thread(self._approved, request)
        return await self._into_force(change, after, change.approver)

    def _approved(self, request: dict[str, Any]) -> tuple[Change, Sequence[Source]]:
        """The change with its second signature, and the files as they will be."""
        signer, change = self._signer(request), self._there(request)
        changes.check_approve(change, signer.login)
        changes.check_meant(change, self._replays.verdicts(change.replay, None) if change.replay else {})
        after, items = self._as_read(change)
        signing = self._signing(SignAct.APPROVE, signer, tuple(items.values()), change.why)
        return self._store.approve(change.key, signing, lambda one: changes.check_approve(one, signer.login)), after

    async def _take(self, request: dict[str, Any]) -> dict[str, Any]:
        """Approved, and kept back by something that has been repaired since."""
        signer = await asyncio.to_thread(self._allowed, SignAct.APPROVE, request)
        change = await asyncio.to_thread(self._there, request)
        if change.state is not ChangeState.APPROVED:
            raise Refused(f"{change.shown} is {change.state.value.replace('_', ' ')}: two people approve it first")
        after, _items = await asyncio.to_thread(self._as_read, change)
        return await self._into_force(change, after, signer.login)

    def _as_read(self, change: Change) -> tuple[Sequence[Source], dict[str, Item]]:
        """The files with the change in them, and its items, which say what was read."""
        after = edits.applied(self._on_disk(), change.edits)
        items = self._proven(after, [one.item for one in change.edits])
        changes.check_same(change, items)
        return after, items

    async def _into_force(self, change: Change, after: Sequence[Source], login: str) -> dict[str, Any]:
        """Write it, take it into force, read again what waited; where that fails the files are as they were before."""
        now = self._clock.now()
        try:
            before = await asyncio.to_thread(site_files.write, self._site, change, after, now)
            answer = await self._reload(login)
            if not answer.get("ok"):
                await asyncio.to_thread(site_files.put, self._site, before)
                raise Refused(_refusal(answer))
        except Refused as refusal:
            await asyncio.to_thread(self._store.kept_back, change.key, str(refusal))
            raise
        event = AuditEvent(
            at=self._clock.now(), actor=login, action="change in force", subject=change.shown, detail=answer["in_force"]
        )
        await asyncio.to_thread(self._store.end, change.key, ChangeState.IN_FORCE, event)
        again = await asyncio.to_thread(self._read_again, change, login)
        return {"ok": True, "change": change.shown, "in_force": answer["in_force"], "read_again": again}

    # ---------------------------------------------------------------- what waited for it

    async def _again(self, request: dict[str, Any]) -> dict[str, Any]:
        """What came between the approval and its coming into force, or could not be read again then."""
        signer = await asyncio.to_thread(self._allowed, SignAct.APPROVE, request)
        change = await asyncio.to_thread(self._there, request)
        if change.state is not ChangeState.IN_FORCE:
            raise Refused(f"{change.shown} is not in force: there is nothing to read again by it")
        return {
            "ok": True,
            "change": change.shown,
            "read_again": await asyncio.to_thread(self._read_again, change, signer.login),
        }

    def _read_again(self, change: Change, login: str) -> int:
        """Every message that carried the code goes through again, oldest first. One that no longer can is left out and
        counted in the log: its bytes were wiped for their age, or a person is repairing it."""
        if change.about is None:
            return 0
        left, done = 0, 0
        waiting = self._unmapped.messages(change.about)[::-1]
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            for message in some:
                try:
                    self._repairing.read_again(f"M{message}", login, f"{change.shown} is in force")
                    done += 1
                except Refused:
                    left += 1
            self._store.mapped(change.key, change.about, some)
        if left:
            _log.warning("not_read_again", change=change.shown, count=left)
        return done

    # ---------------------------------------------------------------- or it comes to nothing

    async def _give_up(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "change": await asyncio.to_thread(self._given_up, request)}

    def _given_up(self, request: dict[str, Any]) -> str:
        """Whoever may write one or approve one may; the reason is what the other one reads."""
        signer, change = self._signer(request), self._there(request)
        why = policies.check_reason(str(request.get("why", "")))
        changes.check_account(self._person(signer))
        event = AuditEvent(
            at=self._clock.now(), actor=signer.login, action="change given up", subject=change.shown, detail=why
        )
        self._store.end(change.key, ChangeState.GIVEN_UP, event)
        return change.shown

    # ---------------------------------------------------------------- on paper

    async def _pack(self, request: dict[str, Any]) -> dict[str, Any]:
        """The validation pack of the site's cases by the knowledge as it would be with the change."""
        return {"ok": True, "page": await asyncio.to_thread(self._packed, request)}

    def _packed(self, request: dict[str, Any]) -> str:
        change, signer = self._there(request), self._signer(request)
        texts = read_all(self._site) if change.ended is not None else edits.applied(self._on_disk(), change.edits)
        wanted = (list(texts), str(Path(self._site) / CASES), self._clock.now().isoformat(), signer.name)
        page = self._packer.run(_pack_page, *wanted).decode()
        if page.startswith(REFUSED):
            raise Refused(page.removeprefix(REFUSED))
        return page

    # ---------------------------------------------------------------- what all of them ask

    def _signer(self, request: dict[str, Any]) -> Signer:
        return signer_of(self._people, str(request.get("as", "")), str(request.get("person", "")))

    def _allowed(self, act: SignAct, request: dict[str, Any]) -> Signer:
        signer = self._signer(request)
        if signer.account:
            approvals.check_allowed(act, self._person(signer))
        return signer

    def _person(self, signer: Signer) -> Any:
        return self._people.by_login(signer.login) if self._people is not None and signer.account else None

    def _there(self, request: dict[str, Any]) -> Change:
        found = self._store.one(changes.parse_change(str(request.get("key", ""))))
        if found is None:
            raise Refused(f"There is no change {request.get('key', '')}")
        return found

    def _on_disk(self) -> list[Source]:
        """What lies on the disk, which has to be what is in force: else more would come into force than was read."""
        if not self._site:
            raise Refused("There is no folder for this site's own knowledge; name it in [knowledge] site")
        try:
            texts = read_all(self._site)
        except KnowledgeError as error:
            raise Refused(f"{counted(error.faults)} in the knowledge: {error.faults[0]}") from None
        if version(texts) != version(self._texts):
            raise Refused("Files of the site were changed by hand and are not in force: take them into force first")
        return texts

    def _proven(self, texts: Sequence[Source], wanted: Sequence[str]) -> dict[str, Item]:
        found = self._prover.prove(texts, self._texts, wanted)
        if found.faults:
            raise Refused(f"The proof found {counted(found.faults)}: {'; '.join(map(str, found.faults[:3]))}")
        return found.items

    def _signing(self, act: SignAct, signer: Signer, items: Sequence[Item], why: str) -> Signing:
        return Signing(
            act=act,
            items=items,
            signer=signer,
            why=why,
            at=self._clock.now(),
            allowed=partial(approvals.check_allowed, act),
            check=lambda item, standing: approvals.check(act, item, standing, signer.login, why),
        )


def _refusal(answer: dict[str, Any]) -> str:
    faults = "; ".join(str(one["text"]) for one in answer.get("faults", ())[:3])
    return str(answer.get("error") or faults or "It could not be taken into force")


def _pack_page(texts: list[Source], folder: str, now: str, tester: str) -> bytes:
    """Body of the packing process: the page, or why there is none."""
    from labbridge.validating import Wanted, pack_of

    wanted = Wanted(Path("pack.html"), datetime.fromisoformat(now), tester)
    try:
        return pack_of(texts, Path(folder), wanted)
    except (Refused, CaseFileError, KnowledgeError) as fault:
        return f"{REFUSED}{fault}".encode()
