"""What is asked of a change of the machine's own words and numbers before a person's signature is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from labbridge.errors import Refused
from labbridge.knowledge import edits
from labbridge.knowledge.documents import Source
from labbridge.knowledge.records import records
from labbridge.model.changes import Change, ChangeState, ItemEdit
from labbridge.model.items import Item
from labbridge.model.mapping import LocalCode
from labbridge.model.people import Person, Right
from labbridge.model.replay import Wanted
from labbridge.review import permissions

MOST_EDITS = 4  # of one change: a code, its unit, and what goes with them


def parse_change(shown: str) -> int:
    """The key of a change written E7. Refused for anything else."""
    digits = shown[1:]
    if shown[:1] != "E" or not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Refused("That is no change; write E7")
    return int(digits)


def edits_of(request: Mapping[str, Any], texts: Sequence[Source]) -> tuple[ItemEdit, ...]:
    """The edits of a request, each with its file and how the item is written now. Refused where there is none, where one
    says what is there already, and where two are of one item."""
    asked = request.get("edits")
    if not isinstance(asked, list) or not 0 < len(asked) <= MOST_EDITS:
        raise Refused("A change needs its edits")
    written = records(texts)
    found = [_edit(one, texts, written) for one in asked]
    if len({one.item for one in found}) != len(found):
        raise Refused("One item is edited twice")
    return tuple(found)


def _edit(asked: object, texts: Sequence[Source], written: Mapping[str, Any]) -> ItemEdit:
    if not isinstance(asked, dict):
        raise Refused("A change needs its edits")
    item, text = str(asked.get("item", "")), edits.tidy(str(asked.get("text", "")))
    if item.startswith(edits.TABLE):
        if not text:
            raise Refused("A row is added to a table, none is taken out here")
        return ItemEdit(item=item, file=item.removeprefix(edits.TABLE), text=text)
    file, before = edits.home(item, texts), written.get(item)
    if before is not None and before.text == text:
        raise Refused(f"{item} is written so already")
    return ItemEdit(item=item, file=file, text=text, before=before.text if before else "")


def about_of(request: Mapping[str, Any]) -> LocalCode | None:
    """The code that a mapping is about. Refused where it is none."""
    asked = request.get("about")
    if asked is None:
        return None
    try:
        return msgspec.convert(asked, LocalCode)
    except msgspec.ValidationError:
        raise Refused("That is no code of a feed") from None


def signed(edit: ItemEdit, item: Item | None) -> ItemEdit:
    """The edit with the hash of what its item says by it."""
    return msgspec.structs.replace(edit, sha256=item.sha256 if item is not None else "")


def check_approve(change: Change, person: str) -> None:
    """Whether this person may be the second one, as the change is now."""
    if change.state is not ChangeState.PUT_FORWARD:
        raise Refused(f"{change.shown} is {change.state.value.replace('_', ' ')}: there is nothing to approve")
    if change.author == person:
        raise Refused(f"You wrote {change.shown}: another person approves it")


def check_meant(change: Change, verdicts: Mapping[Wanted, int]) -> None:
    """Refused where somebody said of a case that would change that it is not meant: the change has to be narrower."""
    narrow = verdicts.get(Wanted.NARROW, 0)
    if narrow:
        raise Refused(
            f"Of {narrow} cases in R{change.replay} somebody said that they are not meant: give {change.shown} up and"
            " write it narrower"
        )


def check_same(change: Change, items: Mapping[str, Item]) -> None:
    """Refused where the items would say something else than what was read and signed: a file changed meanwhile."""
    for edit in change.edits:
        item = items.get(edit.item)
        if (item.sha256 if item is not None else "") != edit.sha256:
            raise Refused(f"{edit.item} would not say what was read: give {change.shown} up and write it again")


def check_account(person: Person | None) -> None:
    """Refused for an account that may neither write changes nor approve them."""
    if person is not None and not permissions.rights(person) & {Right.AUTHOR_KNOWLEDGE, Right.APPROVE_KNOWLEDGE}:
        raise Refused("This needs the role author or approver: ask somebody who has it")
