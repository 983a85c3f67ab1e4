"""Which items of the knowledge are signed, and who may sign them: two persons, for exactly the content they read
(reliability.md S-17). Raises Refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from labbridge.errors import Refused
from labbridge.model.approvals import Approval, SignAct, Standing
from labbridge.model.items import Item
from labbridge.model.people import Person, Right, Role
from labbridge.review import permissions

NEEDED = {
    SignAct.PUT_FORWARD: Right.AUTHOR_KNOWLEDGE,
    SignAct.APPROVE: Right.APPROVE_KNOWLEDGE,
    SignAct.WITHDRAW: Right.APPROVE_KNOWLEDGE,
}
SHORTEST_HASH, LONGEST_WHY = 8, 1000
ANY = "*?["


def in_force(approvals: Iterable[Approval]) -> dict[tuple[str, str], Approval]:
    """What was not taken back, by item and content."""
    return {(one.item, one.sha256): one for one in approvals if one.withdrawn is None}


def standing(item: Item, approvals: Mapping[tuple[str, str], Approval]) -> Standing:
    """How far the item is signed as it is now."""
    found = approvals.get((item.key, item.sha256))
    return found.standing if found is not None else Standing.UNSIGNED


def chosen(asked: Sequence[str], items: Mapping[str, Item]) -> list[Item]:
    """The items that are named: by key, by key and the beginning of the hash that was read, or by a pattern (`comment:*`).
    Refused where there is none, and where one is not as it was read."""
    found: dict[str, Item] = {}
    for text in asked:
        found |= {one.key: one for one in _named(text, items)}
    return list(found.values())


def _named(text: str, items: Mapping[str, Item]) -> list[Item]:
    key, at, sha256 = text.rpartition("@")
    if not at or text in items:
        key, sha256 = text, ""
    if any(mark in key for mark in ANY) and key not in items:
        found = [one for one in items.values() if fnmatchcase(one.key, key)]
        if not found or sha256:
            raise Refused(f"{text}: no item is called so; `labbridge sign` lists them")
        return found
    item = items.get(key)
    if item is None:
        raise Refused(f"{text}: no item is called so; `labbridge sign` lists them")
    if at and sha256 and (len(sha256) < SHORTEST_HASH or not item.sha256.startswith(sha256)):
        raise Refused(f"{key} is not as it was read: it is {item.shown} now")
    return [item]


def check_allowed(act: SignAct, person: Person | None) -> None:
    """Refused where the account may not do it, or not any more."""
    if person is None or NEEDED[act] not in permissions.rights(person):
        role = Role.AUTHOR if act is SignAct.PUT_FORWARD else Role.APPROVER
        raise Refused(f"This needs the role {role}: ask somebody who has it")


def check(act: SignAct, item: Item, approval: Approval | None, person: str, why: str) -> None:
    """Whether this person may do this to the item as it is now. `approval`: what stands of its content."""
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused(f"A reason has at most {LONGEST_WHY} printable characters")
    {SignAct.PUT_FORWARD: _check_put_forward, SignAct.APPROVE: _check_approve, SignAct.WITHDRAW: _check_withdraw}[act](
        item, approval, person
    )
    if not why and act is not SignAct.APPROVE:
        raise Refused("A reason is missing: it is what the next person reads")


def _check_put_forward(item: Item, approval: Approval | None, _person: str) -> None:
    if not item.site:
        raise Refused(f"{item.key} is as shipped: nobody here wrote it, and it can be approved as it is")
    if approval is not None:
        raise Refused(f"{item.shown} was put forward by {approval.author_name}")


def _check_approve(item: Item, approval: Approval | None, person: str) -> None:
    if approval is None:
        if item.site:
            raise Refused(f"Nobody has put {item.shown} forward: whoever wrote it does so first")
        return
    if approval.approved is not None:
        raise Refused(f"{item.shown} is approved by {approval.approver_name}")
    if approval.author == person:
        raise Refused(f"You put {item.shown} forward: another person approves it")


def _check_withdraw(item: Item, approval: Approval | None, _person: str) -> None:
    if approval is None:
        raise Refused(f"{item.shown} is not signed: there is nothing to take back")
