"""Signatures under the knowledge: what a person puts forward another one approves, each in the content that was read.

The content is what lies on the disk now, in force or not: a change is signed before it comes into force. From the workbench
a request carries `person`, the login. On the command line the name is looked up among the accounts; where there is none at
all, the name alone is the person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from labbridge.errors import Refused
from labbridge.model.approvals import SignAct, Signer
from labbridge.model.items import Item
from labbridge.ports import Clock
from labbridge.review import approvals, policies
from labbridge.store.approvals import Signing, StoreApprovals
from labbridge.store.people import StorePeople


class Approving:
    """`items` gives what lies on the disk now (sources.ItemsOnDemand)."""

    def __init__(
        self, items: Callable[[], Mapping[str, Item]], store: StoreApprovals, people: StorePeople | None, clock: Clock
    ) -> None:
        self._items, self._store, self._people, self._clock = items, store, people, clock

    def perform(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """{"act": put_forward, approve or withdraw, "why"}; the keys name items, with the hash that was read or as a
        pattern. Each item has its answer."""
        try:
            signing = self._signing(keys, name, request)
        except Refused as refusal:
            return [{"key": key, "ok": False, "error": str(refusal)} for key in keys or [""]]
        told = self._store.sign(signing)
        return [
            {"key": item.shown, "ok": False, "error": said}
            if said
            else {"key": item.shown, "ok": True, "result": item.key}
            for item, said in zip(signing.items, told, strict=True)
        ]

    def _signing(self, keys: list[str], name: str, request: dict[str, Any]) -> Signing:
        act = str(request.get("act", SignAct.APPROVE))
        if act not in list(SignAct):
            raise Refused("This service does not know the act; is it older than the command line?")
        signer = signer_of(self._people, name, str(request.get("person", "")))
        found = approvals.chosen(keys, self._items())
        why = " ".join(str(request.get("why", "")).split())
        return Signing(
            act=SignAct(act),
            items=found,
            signer=signer,
            why=why,
            at=self._clock.now(),
            allowed=partial(approvals.check_allowed, SignAct(act)),
            check=lambda item, standing: approvals.check(SignAct(act), item, standing, signer.login, why),
        )


def signer_of(people: StorePeople | None, name: str, login: str = "") -> Signer:
    """Who acts. Where there are accounts it is one of them, and what it may do is asked where the signature is kept."""
    policies.check_signer(name)
    if people is None or not (login or people.any()):
        return Signer(login=name, name=name)
    found = people.named(login or name)
    if len(found) != 1:
        raise Refused(f"{login or name}: no open account is called so, or several are; name the login")
    return Signer(login=found[0].login, name=found[0].name, account=True)
