"""`labbridge sign` without a key: every item of the knowledge on the disk, and how far it is signed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from labbridge.config import Config
from labbridge.model.approvals import Approval, Standing
from labbridge.model.items import Item
from labbridge.review import approvals
from labbridge.show import table
from labbridge.sources import ItemsOnDemand
from labbridge.store import opening
from labbridge.store.approvals import StoreApprovals

NAMES = ("item", "version", "from", "standing", "author", "approver", "when", "file")


def listed(config: Config, format: str, *, unsigned: bool) -> str:
    """The items in their order; a table for people, JSON for programs. `unsigned`: without those that are approved."""
    signed = _in_force(config)
    rows = [
        _row(one, signed)
        for one in ItemsOnDemand(config.knowledge.site)().values()
        if not (unsigned and approvals.standing(one, signed) is Standing.APPROVED)
    ]
    if format == "json":
        return json.dumps(rows, ensure_ascii=False)
    return table([tuple(row[name] for name in NAMES) for row in rows], NAMES)


def _in_force(config: Config) -> dict[tuple[str, str], Approval]:
    """What stands in the store; nothing where there is none yet."""
    if not opening.present(config.store.url):
        return {}
    with closing(opening.reader(config.store.url)) as reader:
        return approvals.in_force(StoreApprovals(reader).all())


def _row(item: Item, signed: Mapping[tuple[str, str], Approval]) -> dict[str, Any]:
    found = signed.get((item.key, item.sha256))
    return {
        "item": item.shown,
        "sha256": item.sha256,
        "version": item.version or "",
        "from": "site" if item.site else "shipped",
        "standing": approvals.standing(item, signed).value,
        "author": found.author_name if found else "",
        "approver": found.approver_name if found else "",
        "when": f"{found.approved or found.put_forward:%Y-%m-%d %H:%M}" if found else "",
        "file": f"{item.file}:{item.line}",
    }
