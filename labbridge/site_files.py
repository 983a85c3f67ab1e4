"""The files of a site's folder, written: each change whole, with what stood there before in history/."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from labbridge.errors import Refused
from labbridge.knowledge.documents import Source
from labbridge.model.changes import Change
from labbridge.sources import HISTORY

Written = dict[str, str | None]
"""What files of the site's folder held before, by their name there; None where there was none."""


def write(folder: str, change: Change, texts: Sequence[Source], now: datetime) -> Written:
    """Write the files that a change touches as these texts have them; what they held before. The change is described in
    history/ first. Refused, with what to repair, where the folder cannot be written: then nothing was changed."""
    root, names = Path(folder), dict.fromkeys(one.file for one in change.edits)
    after = {one.name: one.text for one in texts if one.site}
    before: Written = {name: _read(root / name) for name in names}
    try:
        _note(root, change, now)
        put(folder, {name: after.get(name) for name in names})
    except OSError as fault:
        with contextlib.suppress(OSError):
            put(folder, before)
        raise Refused(
            f"The site's folder cannot be written ({type(fault).__name__}): give the service's account the right, then"
            " take it into force"
        ) from None
    return before


def put(folder: str, files: Written) -> None:
    """Each of these files whole, or not at all: a reader never sees half of one."""
    for name, text in files.items():
        path = Path(folder) / name
        if text is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        _whole(path, text)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _whole(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _note(root: Path, change: Change, now: datetime) -> None:
    """Who wrote what, who approved it, and how each item was written before. Trying again writes no second one."""
    name = f"{(change.approved or now):%Y%m%dT%H%M%SZ}-{change.shown}.json"
    path = root / HISTORY / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        said = msgspec.to_builtins(change)
        kept = ("edits", "about", "why", "author_name", "put_forward", "approver_name", "approved")
        noted = {"change": change.shown, **{field: said[field] for field in kept if said[field]}}
        _whole(path, json.dumps(noted, ensure_ascii=False, indent=1) + "\n")
