"""A bearer token in a file: read anew for each exchange, so that a renewed one is used at once, and only where nobody but
the service's own account can read it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

LONGEST = 8192


def read(path: Path) -> str:
    """The token. ValueError, with the repair, where the file is not the account's alone or holds no token; OSError where it
    cannot be read."""
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError("others may read it; chmod 600")
        text = file.read(LONGEST + 1).decode("ascii", "replace").strip()
    if not text or len(text) > LONGEST or not text.isprintable() or " " in text or "\ufffd" in text:
        raise ValueError("it holds no token: one line of printable ASCII without spaces")
    return text


def bearer(path: Path) -> Callable[[], Awaitable[Mapping[str, str]]]:
    """The headers of a request, with the token of this file as it is then."""

    async def headers() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {await asyncio.to_thread(read, path)}"}

    return headers
